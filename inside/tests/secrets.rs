//! What is a secret, and that none is ever printed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use http::{HeaderMap, HeaderValue};
use skep_inside::{ClusterSecret, Inside, Stranger};

const FIRST: &str = "0123456789abcdef0123456789abcdef";
const SECOND: &str = "fedcba9876543210fedcba9876543210";

#[test]
fn what_is_no_secret_is_refused_with_the_reason() {
    let cases = [
        (String::new(), "no secret is given"),
        ("short".to_owned(), "secret 1 has 5 bytes"),
        (format!("{FIRST} short"), "secret 2 has 5 bytes"),
        ("x".repeat(300), "secret 1 has 300 bytes"),
        ("é".repeat(20), "secret 1 is not made of visible ASCII"),
        ([FIRST; 9].join(" "), "there are 9 secrets"),
        ("file:/no/such/file".to_owned(), "/no/such/file"),
    ];
    for (text, reason) in cases {
        let error = ClusterSecret::new(text).load().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert!(!error.contains("short") && !error.contains(FIRST), "{error}");
    }
}

#[test]
fn the_first_of_a_file_is_shown_and_all_are_accepted_while_it_is_changed() {
    let file = std::env::temp_dir().join(format!("skep-secret-{}", std::process::id()));
    std::fs::write(&file, format!("# since November\n  {SECOND}\r\n\n{FIRST}\n")).unwrap();
    let both = Inside::plain(&ClusterSecret::in_file(&file).load().unwrap());
    std::fs::remove_file(&file).unwrap();
    let old = Inside::plain(&ClusterSecret::new(FIRST).load().unwrap());
    let shown_by = |inside: &Inside| {
        let mut headers = HeaderMap::new();
        inside.proof().show(&mut headers);
        headers
    };
    for (caller, callee, answered) in
        [(&old, &both, Ok(())), (&both, &both, Ok(())), (&old, &old, Ok(())), (&both, &old, Err(Stranger::Wrong))]
    {
        let mut headers = shown_by(caller);
        assert_eq!(callee.door().check(&mut headers, None), answered);
        assert!(headers.is_empty(), "the secret goes no further");
    }
    assert_eq!(old.door().check(&mut HeaderMap::new(), None), Err(Stranger::Silent));
    let guess = HeaderMap::from_iter([("x-skep-cluster-secret".parse().unwrap(), HeaderValue::from_static("x"))]);
    assert_eq!(old.door().check(&mut guess.clone(), None), Err(Stranger::Wrong));
}

#[test]
fn no_secret_is_printed() {
    let secret = ClusterSecret::new(FIRST);
    let secrets = secret.load().unwrap();
    let inside = Inside::plain(&secrets);
    let mut headers = HeaderMap::new();
    inside.proof().show(&mut headers);
    let wrong_type = serde_json::from_str::<ClusterSecret>("1234567890123456789").unwrap_err();
    for printed in [
        format!("{secret:?}"),
        format!("{secrets:?}"),
        format!("{inside:?}"),
        format!("{headers:?}"),
        format!("{wrong_type}"),
    ] {
        assert!(!printed.contains("0123456789") && !printed.contains("1234567890"), "{printed}");
    }
}
