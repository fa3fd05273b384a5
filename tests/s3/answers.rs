//! What the S3 client makes of the endpoint's answers, by itself.

use std::io::Write;

use bytes::Bytes;
use delivery::arn::BucketName;
use delivery::compression::Compression;
use delivery::objects::{Created, ObjectError, Objects, S3Objects};
use flate2::write::GzEncoder;
use http::Method;

use crate::endpoint::{Does, Endpoint, SECRET};

fn bucket(name: &str) -> BucketName {
    BucketName::parse_arn(&format!("arn:aws:s3:::{name}")).unwrap()
}

async fn create(objects: &S3Objects, key: &str, content: &str) -> Result<Created, ObjectError> {
    let content = Bytes::copy_from_slice(content.as_bytes());
    objects
        .create(
            &bucket("logs"),
            key,
            content.into(),
            Compression::Uncompressed,
        )
        .await
}

#[tokio::test]
async fn an_object_is_made_once_and_stays_as_it_is() {
    let endpoint = Endpoint::start(&["logs"]).await;
    let objects = S3Objects::new(endpoint.config(SECRET)).unwrap();
    assert_eq!(create(&objects, "a/b", "one").await, Ok(Created::New));
    assert_eq!(create(&objects, "a/b", "one").await, Ok(Created::There));
    for other in ["two", "three", "on", ""] {
        let created = create(&objects, "a/b", other).await;
        assert_eq!(created, Ok(Created::Different), "{other}");
    }
    let [object] = &endpoint.objects("logs")[..] else {
        panic!("{:?}", endpoint.objects("logs"))
    };
    assert_eq!((object.key.as_str(), object.text()), ("a/b", "one"));
}

/// Lines packed with gzip: more than is looked at at once, unless they are few.
fn packed(level: u32, lines: u32) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    for line in 0..lines {
        let number = u64::from(line).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(gzip, "line {number:x}").unwrap();
    }
    Bytes::from(gzip.finish().unwrap())
}

#[tokio::test]
async fn an_object_that_another_build_packed_otherwise_is_the_same_if_it_holds_the_same() {
    let endpoint = Endpoint::start(&["logs"]).await;
    let objects = S3Objects::new(endpoint.config(SECRET)).unwrap();
    let create = async |content: Bytes| {
        let logs = bucket("logs");
        objects
            .create(&logs, "a.gz", content.into(), Compression::Gzip)
            .await
    };
    let there = packed(9, 600_000);
    assert!(there.len() > 4 << 20, "{} bytes", there.len());
    assert_eq!(create(there.clone()).await, Ok(Created::New));
    let ours = packed(3, 600_000);
    assert_ne!(ours, there);
    assert_eq!(create(ours).await, Ok(Created::There));
    assert_eq!(create(packed(3, 599_999)).await, Ok(Created::Different));
    assert_eq!(create(packed(9, 600_001)).await, Ok(Created::Different));
}

/// Characters that are no part of a URL, or that the client would rather not see, were put in
/// percents, and the object had another name than the one that the page said.
#[tokio::test]
async fn a_key_is_that_of_the_object_whatever_letters_it_has() {
    let endpoint = Endpoint::start(&["logs"]).await;
    let objects = S3Objects::new(endpoint.config(SECRET)).unwrap();
    let keys = [
        "day=2023-11-14/x",
        "a b/c+d&e=f/x",
        "50%/~x",
        "[a]{b}^`<c>|#*?/x",
        "\u{e9}t\u{e9}/\u{65e5}\u{672c}/x",
    ];
    for key in keys {
        assert_eq!(create(&objects, key, "x").await, Ok(Created::New), "{key}");
        assert_eq!(
            create(&objects, key, "x").await,
            Ok(Created::There),
            "{key}"
        );
    }
    let mut wanted = keys.to_vec();
    wanted.sort_unstable();
    let found = endpoint.objects("logs");
    let found: Vec<&str> = found.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn a_key_with_empty_parts_is_asked_for_as_it_is() {
    let endpoint = Endpoint::start(&["logs"]).await;
    let objects = S3Objects::new(endpoint.config(SECRET)).unwrap();
    let (key, logs) = ("b//c d///x", bucket("logs"));
    assert_eq!(create(&objects, key, "x").await, Ok(Created::New));
    let (asked, _) = endpoint.puts().pop().unwrap();
    assert_eq!(asked, "/logs/b//c%20d///x");
    assert_eq!(create(&objects, key, "x").await, Ok(Created::There));
    assert_eq!(create(&objects, key, "y").await, Ok(Created::Different));
    let found = objects.find(&logs, key).await.unwrap().unwrap();
    assert_eq!(found.key, key);
    let read = objects.read(&logs, &found, 0..1).await;
    assert_eq!(read, Ok(Some(Bytes::from_static(b"x"))));
}

/// The store of these tests keeps objects in files, and fails on such a key; but it looks at the
/// signature first, which it refuses with 403.
#[tokio::test]
async fn a_key_that_begins_with_a_slash_is_asked_for_and_signed_as_it_is() {
    let endpoint = Endpoint::start(&["logs"]).await;
    let objects = S3Objects::new(endpoint.config(SECRET)).unwrap();
    for (key, path) in [("/a/x", "/logs//a/x"), ("///x", "/logs////x")] {
        let error = create(&objects, key, "x").await.unwrap_err().to_string();
        assert!(error.contains("500 InternalError"), "{key}: {error}");
        let (asked, _) = endpoint.puts().pop().unwrap();
        assert_eq!(asked, path);
    }
}

/// What kind of error it is.
fn kind(error: &ObjectError) -> &'static str {
    match error {
        ObjectError::Impossible(_) => "impossible",
        ObjectError::Refused(_) => "refused",
        ObjectError::Failed(_) => "failed",
    }
}

#[tokio::test]
async fn what_the_store_never_takes_is_told_from_what_it_refuses_and_from_what_may_pass() {
    let endpoint = Endpoint::start(&["logs"]).await;
    let objects = S3Objects::new(endpoint.config(SECRET)).unwrap();
    for (does, wanted) in [
        (Does::Refuse(400, "KeyTooLongError"), "impossible"),
        (Does::Refuse(301, "PermanentRedirect"), "impossible"),
        (Does::Refuse(400, "AuthorizationHeaderMalformed"), "refused"),
        (Does::Refuse(403, "AccessDenied"), "refused"),
        (Does::Refuse(404, "NoSuchBucket"), "refused"),
        (Does::Refuse(400, "RequestTimeout"), "failed"),
        (Does::Refuse(503, "SlowDown"), "failed"),
        (Does::Refuse(307, "TemporaryRedirect"), "failed"),
        (Does::Answer(301), "refused"),
        (Does::Answer(307), "failed"),
        (Does::Answer(413), "refused"),
        (Does::Answer(400), "failed"),
        (Does::Answer(401), "refused"),
        (Does::Answer(403), "refused"),
        (Does::Answer(404), "refused"),
        (Does::Answer(409), "failed"),
        (Does::Answer(429), "failed"),
        (Does::Answer(500), "failed"),
        (Does::Answer(503), "failed"),
    ] {
        endpoint.rule(move |_, _| does);
        let error = create(&objects, "a", "x").await.unwrap_err();
        assert_eq!(kind(&error), wanted, "{does:?}: {error:?}");
        if let Does::Refuse(status, code) = does {
            let told = error.to_string();
            assert_eq!(told, format!("the endpoint answered {status} {code}: No."));
        }
        // A conflict may mean that the object is there: it is looked for.
        let requests = if does == Does::Answer(409) { 2 } else { 1 };
        assert_eq!(endpoint.requests(), requests, "{does:?}: not tried again");
    }
    endpoint.rule(|_, _| Does::Well);
    let nowhere = Bytes::from_static(b"x");
    let error = objects
        .create(
            &bucket("other"),
            "a",
            nowhere.into(),
            Compression::Uncompressed,
        )
        .await;
    let error = error.unwrap_err();
    assert!(matches!(error, ObjectError::Refused(_)), "{error:?}");
    assert!(error.to_string().contains("NoSuchBucket"), "{error}");
}

/// It was taken for a refusal, after which a delivery stream may be led to another bucket: the
/// records would have been in both.
#[tokio::test]
async fn an_object_that_is_there_and_may_not_be_looked_at_is_not_refused() {
    let endpoint = Endpoint::start(&["logs"]).await;
    let objects = S3Objects::new(endpoint.config(SECRET)).unwrap();
    assert_eq!(create(&objects, "a", "x").await, Ok(Created::New));
    for status in [403, 404] {
        endpoint.rule(move |_, method| match *method {
            Method::HEAD => Does::Answer(status),
            _ => Does::Well,
        });
        let error = create(&objects, "a", "x").await.unwrap_err();
        assert!(matches!(error, ObjectError::Failed(_)), "{error:?}");
    }
}

/// The name stood three times before the reason, which was cut off with all after 500 characters.
#[tokio::test]
async fn the_reason_of_a_refusal_is_told_however_long_the_name_is() {
    let endpoint = Endpoint::start(&[]).await;
    let objects = S3Objects::new(endpoint.config(SECRET)).unwrap();
    for folder in ["a", "\u{65e5}"] {
        let key = format!("{folder}/").repeat(1000 / (folder.len() + 1)) + "x";
        let error = create(&objects, &key, "x").await.unwrap_err();
        let ObjectError::Refused(text) = &error else {
            panic!("{error:?}")
        };
        for part in ["404", "NoSuchBucket"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.chars().count() <= 500, "{text}");
    }
    endpoint.rule(|_, _| Does::Close);
    let key = "a/".repeat(500) + "x";
    let text = create(&objects, &key, "x").await.unwrap_err().to_string();
    assert!(text.contains("connection closed"), "{text}");
    assert!(text.contains("http://127.0.0.1:"), "{text}");
}
