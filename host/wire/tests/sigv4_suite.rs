//! AWS's own test suite: every signed request is accepted, in the header and in the query, and no
//! request that means anything else is.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use http::{HeaderMap, HeaderName, HeaderValue};
use types::Timestamp;
use wire::ApiError;
use wire::sigv4::{Authorization, Paths, SecretKey, SignedRequest, Verifier};

/// 38 requests, each signed in its header and in its query.
const CASES: usize = 76;
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30T12:36:00Z, when all of the suite was signed.
const SIGNED_AT: Timestamp = Timestamp(1_440_938_160_000);

/// Where a request is signed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Header,
    Query,
}

#[derive(Clone, Debug)]
struct Case {
    name: String,
    form: Form,
    /// The session token was added once the request was signed.
    leaves_out_token: bool,
    paths: Paths,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws-signing-test-suite/v4");
    let mut directories: Vec<PathBuf> = fs::read_dir(suite)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    directories.sort();
    let forms = [Form::Header, Form::Query];
    let of_form = |form| directories.iter().map(move |path| Case::read(path, form));
    forms.into_iter().flat_map(of_form).collect()
}

impl Case {
    fn read(directory: &Path, form: Form) -> Self {
        let context = fs::read(directory.join("context.json")).unwrap();
        let context: serde_json::Value = serde_json::from_slice(&context).unwrap();
        assert_eq!(context["credentials"]["secret_access_key"], SECRET);
        let file = match form {
            Form::Header => "header-signed-request.txt",
            Form::Query => "query-signed-request.txt",
        };
        let text = fs::read_to_string(directory.join(file)).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
        let target = target.strip_suffix(" HTTP/1.1").unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with(' ') {
                // A folded line, as servers join it to the one before.
                let (_, value) = headers.last_mut().unwrap();
                value.push(' ');
                value.push_str(line.trim());
            } else {
                let (name, value) = line.split_once(':').unwrap();
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        let has_body = headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        Self {
            name: directory.file_name().unwrap().to_str().unwrap().to_owned(),
            form,
            leaves_out_token: context["omit_session_token"] == true,
            paths: if context["normalize"].as_bool().unwrap() {
                Paths::Normalized
            } else {
                Paths::AsSent
            },
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: if has_body {
                body.as_bytes().to_vec()
            } else {
                Vec::new()
            },
        }
    }

    /// What HTTP makes of the headers; `None` if it would not let them through.
    fn header_map(&self) -> Option<HeaderMap> {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).ok()?,
                HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes()).ok()?,
            );
        }
        Some(map)
    }

    fn verify(&self, verifiers: &Verifiers) -> Option<Result<(), ApiError>> {
        let headers = self.header_map()?;
        let request = SignedRequest {
            service: "service",
            method: &self.method,
            path: &self.path,
            query: &self.query,
            authority: None,
            headers: &headers,
            body: &self.body,
        };
        let authorization = match Authorization::find(&headers, &self.query) {
            Ok(authorization) => authorization?,
            Err(error) => return Some(Err(error)),
        };
        // As a server does: the id that the client names chooses the secret.
        let secret = SecretKey::new(SECRET);
        let secret = (authorization.key_id == "AKIDEXAMPLE").then_some(&secret);
        let verifier = match self.paths {
            Paths::Normalized => &verifiers.normalized,
            Paths::AsSent => &verifiers.as_sent,
        };
        Some(verifier.verify(&authorization, &request, secret, SIGNED_AT))
    }

    /// The header that the signature stands in.
    fn authorization(&self) -> &str {
        let (_, value) = &self.headers[self.authorization_index()];
        value
    }

    fn authorization_index(&self) -> usize {
        let is = |(name, _): &(String, String)| name.eq_ignore_ascii_case("authorization");
        self.headers.iter().position(is).unwrap()
    }

    fn signed_headers(&self) -> Vec<String> {
        let text = match self.form {
            Form::Header => self.authorization().to_owned(),
            Form::Query => self.query.replace("%3B", ";"),
        };
        let (_, rest) = text.split_once("SignedHeaders=").unwrap();
        let names = rest.split([',', '&']).next().unwrap().split(';');
        names.map(str::to_owned).collect()
    }

    fn is_signed(&self, name: &str) -> bool {
        self.signed_headers().contains(&name.to_ascii_lowercase())
    }

    /// What the request says, apart from how it is spelled; two requests of one meaning may share
    /// a signature. Written without a look at the code under test.
    fn meaning(&self) -> Meaning {
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in &self.headers {
            let words: Vec<&str> = value.split([' ', '\t']).filter(|w| !w.is_empty()).collect();
            let value = if name.eq_ignore_ascii_case("authorization") {
                value.clone()
            } else {
                words.join(" ")
            };
            headers
                .entry(name.to_ascii_lowercase())
                .or_default()
                .push(value);
        }
        let mut query: Vec<(Vec<u8>, Vec<u8>)> = self
            .query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (unescaped(name), unescaped(value)))
            .filter(|(name, _)| !self.leaves_out_token || name != b"X-Amz-Security-Token")
            .collect();
        query.sort();
        let path = match self.paths {
            Paths::AsSent if self.path.is_empty() => vec!["".to_owned(), "".to_owned()],
            Paths::AsSent => self.path.split('/').map(str::to_owned).collect(),
            Paths::Normalized => normal_path(&self.path),
        };
        Meaning {
            method: self.method.clone(),
            path,
            query,
            headers,
            body: self.body.clone(),
        }
    }
}

#[derive(PartialEq)]
struct Meaning {
    method: String,
    path: Vec<String>,
    query: Vec<(Vec<u8>, Vec<u8>)>,
    headers: BTreeMap<String, Vec<String>>,
    body: Vec<u8>,
}

fn normal_path(path: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for part in path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        if part == ".." {
            out.pop();
        } else {
            out.push(part.to_owned());
        }
    }
    if !out.is_empty() && path.ends_with('/') {
        out.push(String::new());
    }
    out
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        let digits = rest
            .get(1..3)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &rest[3..];
            }
            None => {
                out.push(b'%');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

struct Verifiers {
    normalized: Verifier,
    as_sent: Verifier,
}

impl Verifiers {
    fn new() -> Self {
        Self {
            normalized: Verifier::new(Verifier::SKEW_DEFAULT, Paths::Normalized),
            as_sent: Verifier::new(Verifier::SKEW_DEFAULT, Paths::AsSent),
        }
    }
}

/// Every way to change, drop or add one character, with a handful of replacements.
fn mutations(text: &str) -> Vec<String> {
    const REPLACEMENTS: [char; 6] = ['a', '0', '/', '.', ' ', '%'];
    const ADDITIONS: [char; 4] = ['0', '/', ' ', '%'];
    let chars: Vec<char> = text.chars().collect();
    let rebuilt = |at: usize, with: Option<char>, skipped: usize| {
        let mut out: String = chars[..at].iter().collect();
        out.extend(with);
        out.extend(&chars[at + skipped..]);
        out
    };
    let mut out = Vec::new();
    for (at, &here) in chars.iter().enumerate() {
        out.push(rebuilt(at, None, 1));
        let case_changed = if here.is_ascii_lowercase() {
            here.to_ascii_uppercase()
        } else {
            here.to_ascii_lowercase()
        };
        let next = char::from_u32(u32::from(here) ^ 1).unwrap();
        for with in REPLACEMENTS.into_iter().chain([case_changed, next]) {
            out.push(rebuilt(at, Some(with), 1));
        }
    }
    for at in 0..=chars.len() {
        for with in ADDITIONS {
            out.push(rebuilt(at, Some(with), 0));
        }
    }
    out.retain(|mutated| mutated != text);
    out
}

/// Each request that differs from `case` in one character of something that is signed.
fn mutated(case: &Case) -> Vec<Case> {
    let mut out = Vec::new();
    let mut with = |text: &str, set: &dyn Fn(&mut Case, String)| {
        for mutation in mutations(text) {
            let mut changed = case.clone();
            set(&mut changed, mutation);
            out.push(changed);
        }
    };
    with(&case.method, &|case, text| case.method = text);
    with(&case.path, &|case, text| case.path = text);
    with(&case.query, &|case, text| case.query = text);
    with(std::str::from_utf8(&case.body).unwrap(), &|case, text| {
        case.body = text.into_bytes();
    });
    for (index, (name, value)) in case.headers.iter().enumerate() {
        if case.is_signed(name) {
            with(name, &|case, text| case.headers[index].0 = text);
            with(value, &|case, text| case.headers[index].1 = text);
        }
    }
    if case.form == Form::Query {
        return out; // The signature stands in what was mutated already.
    }
    for parameter in ["Credential=", "SignedHeaders=", "Signature="] {
        let header = case.authorization();
        let start = header.find(parameter).unwrap() + parameter.len();
        let length = header[start..].find(',').unwrap_or(header.len() - start);
        let (before, rest) = header.split_at(start);
        let (value, after) = rest.split_at(length);
        let index = case.authorization_index();
        with(value, &|case, text| {
            case.headers[index].1 = format!("{before}{text}{after}");
        });
    }
    out
}

/// Parameters end at a comma or a space, so these characters at a value's ends are no part of it.
fn same_parameters(one: &str, other: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        text.split([',', ' '])
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    parts(one) == parts(other)
}

#[test]
fn every_request_of_the_suite_is_accepted() {
    let verifiers = Verifiers::new();
    let cases = cases();
    assert_eq!(cases.len(), CASES);
    for case in cases {
        assert_eq!(case.verify(&verifiers), Some(Ok(())), "{}", case.name);
    }
}

#[test]
fn a_request_with_any_signed_character_changed_is_refused_unless_it_means_the_same() {
    let cases = cases();
    let (first, second) = cases.split_at(CASES / 2);
    let (refused, same) = thread::scope(|scope| {
        let first = scope.spawn(|| count_mutations(first));
        let second = count_mutations(second);
        let first = first.join().unwrap();
        (first.0 + second.0, first.1 + second.1)
    });
    assert!(100_000 < refused, "only {refused} mutations were tried");
    assert!(
        same < refused / 20,
        "{same} of {refused} mutations mean the same"
    );
}

/// How many mutations were refused, and how many mean the same and were accepted.
fn count_mutations(cases: &[Case]) -> (usize, usize) {
    let verifiers = Verifiers::new();
    let (mut refused, mut same) = (0, 0);
    for case in cases {
        let meaning = case.meaning();
        for changed in mutated(case) {
            let Some(answer) = changed.verify(&verifiers) else {
                continue;
            };
            let mut comparable = changed.clone();
            if case.form == Form::Header
                && same_parameters(changed.authorization(), case.authorization())
            {
                let index = case.authorization_index();
                comparable.headers[index].1 = case.authorization().to_owned();
            }
            let means_the_same = comparable.meaning() == meaning;
            assert_eq!(answer.is_ok(), means_the_same, "{changed:?}: {answer:?}");
            if means_the_same {
                same += 1;
            } else {
                refused += 1;
            }
        }
    }
    (refused, same)
}

#[test]
fn a_signed_header_that_is_sent_again_is_refused() {
    let verifiers = Verifiers::new();
    for case in cases() {
        for (name, value) in case.headers.clone() {
            if case.is_signed(&name) {
                let mut changed = case.clone();
                changed.headers.push((name, value));
                assert!(changed.verify(&verifiers).unwrap().is_err(), "{changed:?}");
            }
        }
    }
}

#[test]
fn a_parameter_that_is_sent_again_is_refused() {
    let verifiers = Verifiers::new();
    for case in cases().iter().filter(|case| case.form == Form::Query) {
        for parameter in case.query.split('&') {
            let mut changed = case.clone();
            changed.query = format!("{}&{parameter}", case.query);
            assert!(changed.verify(&verifiers).unwrap().is_err(), "{changed:?}");
        }
    }
}

#[test]
fn a_request_that_is_signed_in_its_header_and_in_its_query_is_refused() {
    let verifiers = Verifiers::new();
    let cases = cases();
    let (in_header, in_query) = cases.split_at(CASES / 2);
    for (one, other) in in_header.iter().zip(in_query) {
        assert_eq!(one.name, other.name);
        let mut both = other.clone();
        both.headers = one.headers.clone();
        let error = both.verify(&verifiers).unwrap().unwrap_err();
        assert_eq!(error.code(), "IncompleteSignatureException");
        assert!(
            error.message().starts_with("Only one auth mechanism"),
            "{error}"
        );
    }
}
