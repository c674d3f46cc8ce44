// People by the public contract, for what a test needs and does not test.

import { randomUUID } from "node:crypto";

export const PASSWORD = "a bee in the hive 7";

let count = 0;
/** A name that nobody has: tests may run again on the same deployment. */
export const unused = (stem) => `${stem}${Date.now().toString(36)}${(count += 1)}`;

export class Person {
  constructor(url, answer, username) {
    Object.assign(this, { url, token: answer.token, user: answer.user, route: answer.route, session_id: answer.session_id, id: answer.user.user_id, username });
  }

  static async signUp(url, display_name, username = unused(display_name.toLowerCase().replace(/[^a-z]/g, "").slice(0, 12) || "bee")) {
    const answer = await call(url, "POST", "/v1/users", null, { username, display_name, email: `${username}@example.org`, password: PASSWORD });
    return new Person(url, answer, username);
  }

  call(method, path, body) {
    return call(this.url, method, path, this.token, body);
  }
  send(conversation_id, text) {
    return this.call("POST", `/v1/conversations/${conversation_id}/messages`, { client_message_id: randomUUID(), text });
  }
  async write(users, text) {
    return this.call("POST", "/v1/messages", { user_ids: users.map((u) => u.id), text, client_message_id: randomUUID() });
  }
  create(what) {
    return this.call("POST", "/v1/conversations", what);
  }
  setImage(png) {
    return this.call("PUT", "/v1/me/image", png);
  }
}

/** On a connection that the router closed as idle at that moment, nothing was done: it is asked again. */
const patiently = async (...request) => {
  for (let tries = 1; ; tries++) {
    try {
      return await fetch(...request);
    } catch (error) {
      if (tries === 3 || error.cause?.code !== "UND_ERR_SOCKET") throw error;
    }
  }
};

const call = async (url, method, path, token, body) => {
  const response = await patiently(url + path, {
    method,
    headers: { "Content-Type": body instanceof Buffer ? "image/png" : "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
    ...(body === undefined ? {} : { body: body instanceof Buffer ? body : JSON.stringify(body) }),
  });
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
};
