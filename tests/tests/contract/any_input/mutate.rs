//! Values that are not what they should be.

use rand::{Rng, RngExt, rngs::StdRng};
use serde_json::{Map, Value, json};

/// JSON text made of a value that is right: one to three things about it are changed.
pub fn json_text(random: &mut StdRng, right: &Value) -> Vec<u8> {
    let mut value = right.clone();
    for _ in 0..random.random_range(1..=3) {
        change_somewhere(random, &mut value);
    }
    let mut text = value.to_string();
    // What no value can say: numbers, surrogates and repeats that are only in the text.
    if random.random_bool(0.15) {
        let odd = one_of(
            random,
            &[
                "1e999",
                "-0",
                "00",
                "1.",
                "\"\\ud800\"",
                "\"\\udc00\\ud800\"",
                "NaN",
                "'x'",
                "{\"a\":1,\"a\":2}",
                "\"\\u0000\"",
                "\"\u{1}\"",
            ],
        );
        if let Some(at) = text.find(':') {
            text.replace_range(at + 1..at + 1, &format!("{odd},\"rest\":"));
        }
    }
    match random.random_range(0..20) {
        0 => bytes(random, text.as_bytes()),
        1 => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        2 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        3 => text.as_bytes()[..random.random_range(0..text.len())].to_vec(),
        4 => format!("{text}{text}").into_bytes(),
        5 => nested(random).into_bytes(),
        _ => text.into_bytes(),
    }
}

/// A few bytes changed, added or taken out.
pub fn bytes(random: &mut StdRng, right: &[u8]) -> Vec<u8> {
    let mut bytes = right.to_vec();
    for _ in 0..random.random_range(1..=8) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..3) {
            0 => bytes.insert(at, random.random()),
            1 if at < bytes.len() => bytes[at] = random.random(),
            _ if at < bytes.len() => _ = bytes.remove(at),
            _ => bytes.push(0xff),
        }
    }
    bytes
}

/// Text that is rarely what is wanted.
pub fn text(random: &mut StdRng) -> String {
    let long = "x".repeat(random.random_range(1..20_000));
    let odd = [
        "",
        " ",
        "\0",
        "\u{202e}rtl",
        "\u{fffd}",
        "🐝🐝🐝",
        "ä",
        "-1",
        "0",
        "1",
        "18446744073709551616",
        "null",
        "me",
        "current",
        "..",
        "%00",
        "u_00000000000000000000000000",
        "'; DROP TABLE users; --",
        "a@b",
        "../../etc/passwd",
        "\r\nX: y",
    ];
    match random.random_range(0..10) {
        0 => long,
        1 => (0..random.random_range(0..40)).map(|_| random.random::<char>()).collect(),
        _ => one_of(random, &odd).to_owned(),
    }
}

pub fn one_of<'a>(random: &mut StdRng, values: &[&'a str]) -> &'a str {
    values[random.random_range(0..values.len())]
}

fn nested(random: &mut StdRng) -> String {
    let depth = one_of(random, &["100", "127", "128", "129", "10000", "60000"]).parse().unwrap();
    let (open, close) = if random.random() { ("[", "]") } else { ("{\"a\":", "}") };
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

fn change_somewhere(random: &mut StdRng, value: &mut Value) {
    match value {
        Value::Object(fields) if !fields.is_empty() && random.random_bool(0.9) => {
            let name = fields.keys().nth(random.random_range(0..fields.len())).unwrap().clone();
            match random.random_range(0..8) {
                0 => _ = fields.remove(&name),
                1 => _ = fields.insert(text(random), anything(random, 2)),
                2 => {
                    let moved = fields.remove(&name).unwrap_or_default();
                    fields.insert(name.to_uppercase(), moved);
                }
                _ => change_somewhere(random, &mut fields[&name]),
            }
        }
        Value::Array(values) if !values.is_empty() && random.random_bool(0.7) => match random.random_range(0..4) {
            0 => *values = vec![values[0].clone(); random.random_range(0..300)],
            1 => values.push(anything(random, 1)),
            _ => {
                let at = random.random_range(0..values.len());
                change_somewhere(random, &mut values[at]);
            }
        },
        Value::String(said) if random.random_bool(0.4) => {
            let changed = bytes(random, said.as_bytes());
            *said = String::from_utf8_lossy(&changed).into_owned();
        }
        _ => *value = anything(random, 3),
    }
}

fn anything(random: &mut StdRng, depth: u32) -> Value {
    match random.random_range(0..if depth == 0 { 7 } else { 9 }) {
        0 => Value::Null,
        1 => json!(random.random::<bool>()),
        2 => json!(random.next_u64()),
        3 => json!(random.random::<i64>()),
        4 => json!(random.random::<f64>() * 1e300),
        5 | 6 => text(random).into(),
        7 => (0..random.random_range(0..5)).map(|_| anything(random, depth - 1)).collect(),
        _ => (0..random.random_range(0..5))
            .map(|_| (text(random), anything(random, depth - 1)))
            .collect::<Map<_, _>>()
            .into(),
    }
}
