//! Who may make which call, as data: a line a call, an answer a role. A call without a line fails the test.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};
use skep_contract::calls;
use skep_tests::{Deployment, PASSWORD, Person};

/// The roles, in the order in which they ask.
const ROLES: [&str; 7] =
    ["nobody", "revoked token", "stranger", "former member", "member", "member of another cell", "admin"];

/// The statuses for each of them.
type Answers = [u16; 7];

/// Whoever is somebody.
const PEOPLE: Answers = [401, 401, 200, 200, 200, 200, 200];
/// Members of the conversation.
const MEMBERS: Answers = [401, 401, 404, 403, 200, 200, 200];
/// Its admins.
const ADMINS: Answers = [401, 401, 404, 403, 403, 403, 200];
const EVERYBODY: Answers = [200; 7];

/// A call by its id, what is asked, and what each role is answered.
type Row = (&'static str, fn(&Scene) -> (String, Value), Answers);

const TABLE: &[Row] = &[
    ("signUp", |s| ("/v1/users".into(), s.somebody_new()), [201; 7]),
    ("logIn", |s| ("/v1/sessions".into(), json!({"login": s.extra.username, "password": PASSWORD})), [201; 7]),
    ("listSessions", |_| ("/v1/sessions".into(), Value::Null), PEOPLE),
    // The member's own.
    ("endSession", |s| (format!("/v1/sessions/{}", s.spare_session), Value::Null), [401, 401, 404, 404, 204, 404, 404]),
    ("getRoute", |_| ("/v1/route".into(), Value::Null), PEOPLE),
    ("getMe", |_| ("/v1/me".into(), Value::Null), PEOPLE),
    ("editMe", |_| ("/v1/me".into(), json!({"display_name": "Somebody"})), PEOPLE),
    (
        "setPassword",
        |_| ("/v1/me/password".into(), json!({"old_password": PASSWORD, "new_password": PASSWORD})),
        like(PEOPLE, 204),
    ),
    ("setImage", |_| ("/v1/me/image".into(), Value::Null), like(PEOPLE, 415)),
    ("removeImage", |_| ("/v1/me/image".into(), Value::Null), PEOPLE),
    ("listBlocks", |_| ("/v1/me/blocks".into(), Value::Null), PEOPLE),
    ("block", |s| (format!("/v1/me/blocks/{}", s.blocked.user_id), Value::Null), like(PEOPLE, 204)),
    ("unblock", |s| (format!("/v1/me/blocks/{}", s.blocked.user_id), Value::Null), like(PEOPLE, 204)),
    ("searchUsers", |s| (format!("/v1/users?query={}", s.extra.username), Value::Null), PEOPLE),
    ("getUser", |s| (format!("/v1/users/{}", s.extra.user_id), Value::Null), PEOPLE),
    ("lookUpUsers", |s| ("/v1/users/lookup".into(), json!({"user_ids": [s.extra.user_id]})), PEOPLE),
    ("getImage", |s| (format!("/v1/images/{}/0123abcd", s.extra.user_id), Value::Null), [404; 7]),
    (
        "createConversation",
        |s| ("/v1/conversations".into(), json!({"kind": "group", "user_ids": [s.extra.user_id]})),
        like(PEOPLE, 201),
    ),
    ("listConversations", |_| ("/v1/conversations".into(), Value::Null), PEOPLE),
    ("getConversation", |s| (s.path(""), Value::Null), MEMBERS),
    ("editConversation", |s| (s.path(""), json!({"title": "honey"})), ADMINS),
    ("markRead", |s| (s.path("/read"), json!({"seq": 1})), MEMBERS),
    ("listMembers", |s| (s.path("/members"), Value::Null), MEMBERS),
    ("addMembers", |s| (s.path("/members"), json!({"user_ids": [s.extra.user_id]})), MEMBERS),
    ("setRole", |s| (s.path(&format!("/members/{}", s.member.user_id)), json!({"role": "member"})), like(ADMINS, 204)),
    ("removeMember", |s| (s.path(&format!("/members/{}", s.extra.user_id)), Value::Null), like(ADMINS, 204)),
    // Former members read what came up to their leaving.
    ("listMessages", |s| (s.path("/messages"), Value::Null), [401, 401, 404, 200, 200, 200, 200]),
    (
        "sendMessage",
        |s| (s.path("/messages"), json!({"client_message_id": uuid::Uuid::now_v7(), "text": "hum"})),
        like(MEMBERS, 201),
    ),
    (
        "openAndSend",
        |s| {
            (
                "/v1/messages".into(),
                json!({"client_message_id": uuid::Uuid::now_v7(), "text": "hum", "user_ids": [s.extra.user_id]}),
            )
        },
        like(PEOPLE, 201),
    ),
    ("getLink", |s| (s.path("/link"), Value::Null), MEMBERS),
    ("renewLink", |s| (s.path("/link"), Value::Null), ADMINS),
    ("previewLink", |s| (format!("/v1/links/{}", s.code), Value::Null), EVERYBODY),
    ("joinByLink", |s| (format!("/v1/links/{}/join", s.code), Value::Null), PEOPLE),
    ("isAlive", |_| ("/healthz".into(), Value::Null), EVERYBODY),
    ("isReady", |_| ("/readyz".into(), Value::Null), EVERYBODY),
    ("openapi", |_| ("/v1/openapi.json".into(), Value::Null), EVERYBODY),
    ("asyncapi", |_| ("/v1/asyncapi.json".into(), Value::Null), EVERYBODY),
    ("docs", |_| ("/docs".into(), Value::Null), EVERYBODY),
    ("socketDocs", |_| ("/docs/socket".into(), Value::Null), EVERYBODY),
    ("style", |_| ("/docs/style.css".into(), Value::Null), EVERYBODY),
    ("errorPage", |_| ("/errors/not_allowed".into(), Value::Null), EVERYBODY),
];

/// The same people, answered with another status than 200.
const fn like(mut answers: Answers, status: u16) -> Answers {
    let mut i = 0;
    while i < answers.len() {
        if answers[i] == 200 {
            answers[i] = status;
        }
        i += 1;
    }
    answers
}

/// People, and a channel of theirs whose home is the cell of the admin.
struct Scene {
    hive: Arc<Deployment>,
    revoked: String,
    stranger: Person,
    former: Person,
    member: Person,
    foreign: Person,
    admin: Person,
    /// A member about whom the others ask.
    extra: Person,
    /// Somebody who is nowhere.
    blocked: Person,
    spare_session: String,
    channel: String,
    code: String,
}

impl Scene {
    async fn new() -> Self {
        let hive = Deployment::start(2).await;
        let foreign = hive.sign_up_in(2, "foreign").await;
        let [stranger, former, member, admin, extra, blocked] =
            ["stranger", "former", "member", "admin", "extra", "blocked"].map(|name| hive.sign_up_in(1, name));
        let (stranger, former, member) = (stranger.await, former.await, member.await);
        let (admin, extra, blocked) = (admin.await, extra.await, blocked.await);
        let log_in = async |person: &Person| {
            let body = json!({"login": person.username, "password": PASSWORD});
            hive.call(Method::POST, "/v1/sessions", None, Some(body)).await.expect(201)
        };
        let revoked = Person::of(&hive, &log_in(&member).await);
        revoked.delete("/v1/sessions/current").await.expect(204);
        let spare_session = log_in(&member).await["session_id"].as_str().unwrap().to_owned();
        let (channel, code, revoked) = (String::new(), String::new(), revoked.token);
        Self { hive, revoked, stranger, former, member, foreign, admin, extra, blocked, spare_session, channel, code }
    }

    /// A new channel, so that what one line did is not in the way of the next.
    async fn begin_anew(&mut self) {
        let ids = [&self.former, &self.member, &self.foreign, &self.extra].map(|person| person.user_id.clone());
        loop {
            let body = json!({"kind": "channel", "title": "honey", "user_ids": ids});
            let made = self.admin.post("/v1/conversations", body).await.expect(201);
            assert_eq!(made["not_added"], json!([]));
            self.channel = made["conversation"]["conversation_id"].as_str().unwrap().to_owned();
            self.code = made["link"]["code"].as_str().unwrap().to_owned();
            if self.hive.owner(&self.channel).await == 1 {
                break;
            }
        }
        self.admin.say(&self.channel, "hum").await;
        self.former.delete(&self.path("/members/me")).await.expect(204);
    }

    fn token(&self, role: &str) -> Option<&str> {
        Some(match role {
            "nobody" => return None,
            "revoked token" => &self.revoked,
            "stranger" => &self.stranger.token,
            "former member" => &self.former.token,
            "member" => &self.member.token,
            "member of another cell" => &self.foreign.token,
            _ => &self.admin.token,
        })
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/conversations/{}{rest}", self.channel)
    }

    fn somebody_new(&self) -> Value {
        let name = format!("new-{:x}", rand::random::<u64>());
        json!({"username": name, "display_name": name, "email": format!("{name}@example.org"), "password": PASSWORD})
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_answers_every_role_as_the_table_says() {
    let missing: Vec<&str> = calls().iter().map(|c| c.id).filter(|id| TABLE.iter().all(|row| row.0 != *id)).collect();
    assert!(missing.is_empty(), "no line for {missing:?}");
    let mut scene = Scene::new().await;
    let mut wrong = Vec::new();
    for (id, asked, expected) in TABLE {
        let call = calls().iter().find(|call| call.id == *id).unwrap_or_else(|| panic!("{id} is no call"));
        if call.path.contains("{id}") || call.path.contains("{code}") {
            scene.begin_anew().await;
        }
        let method: Method = call.method.as_str().parse().unwrap();
        for (role, expected) in ROLES.iter().zip(expected) {
            let (path, body) = asked(&scene);
            let body = Some(body).filter(|body| !body.is_null());
            let reply = scene.hive.call(method.clone(), &path, scene.token(role), body).await;
            if reply.status != *expected {
                wrong.push(format!("{id}: {role} got {}, not {expected}: {}", reply.status, reply.body));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
