//! The fields of a line and where they stand in it.

use millrace_sdk::Error;

use crate::reader::Reader;
use crate::text::Text;
use crate::time::Time;

/// A line in the combined format, in slices of the record.
#[derive(Debug)]
pub struct Line<'a> {
    pub remote_host: Text<'a>,
    pub identity: Text<'a>,
    pub user: Text<'a>,
    pub time: Time<'a>,
    pub request: Request<'a>,
    /// Three digits.
    pub status: &'a [u8],
    /// Digits; none where the log has `-`.
    pub bytes: Option<&'a [u8]>,
    pub referer: Text<'a>,
    pub user_agent: Text<'a>,
}

impl<'a> Line<'a> {
    /// Reads one line, with or without its line end.
    ///
    /// # Errors
    /// With the column where reading stopped and what was expected there.
    pub fn parse(data: &'a [u8]) -> Result<Self, Error> {
        let line = data.strip_suffix(b"\n").unwrap_or(data);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut reader = Reader::new(line);
        let remote_host = reader.word("the remote host")?;
        reader.byte(b' ', "a space after the remote host")?;
        let identity = reader.word("the identity")?;
        reader.byte(b' ', "a space after the identity")?;
        let user = reader.word("the user")?;
        reader.byte(b' ', "a space after the user")?;
        let time = Time::read(&mut reader)?;
        reader.byte(b' ', "a space after the time")?;
        let request = reader.quoted("the request")?;
        reader.byte(b' ', "a space after the request")?;
        let status = reader.digits(3, 999, "a status of three digits")?;
        reader.byte(b' ', "a space after the status")?;
        let bytes = reader.bytes_sent()?;
        reader.byte(b' ', "a space after the number of bytes")?;
        let referer = reader.quoted("the referer")?;
        reader.byte(b' ', "a space after the referer")?;
        let user_agent = reader.quoted("the user agent")?;
        reader.end()?;
        Ok(Self {
            remote_host,
            identity,
            user,
            time,
            request: Request::of(request),
            status,
            bytes,
            referer,
            user_agent,
        })
    }
}

/// The first line of a request, as far as the client sent one.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    pub method: Option<Text<'a>>,
    /// What is neither a method nor a protocol. A client that does not speak HTTP, such as one
    /// that speaks TLS on a port without it, sent something else: all of that stands here.
    pub path: Option<Text<'a>>,
    /// None for HTTP/0.9, which has no word for itself.
    pub protocol: Option<Text<'a>>,
}

impl<'a> Request<'a> {
    fn of(request: Text<'a>) -> Self {
        let raw = request.raw();
        let is_of_method = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        let method = raw.iter().take_while(|byte| is_of_method(byte)).count();
        let has_method = 0 < method && raw.get(method) == Some(&b' ');
        let start = if has_method { method + 1 } else { 0 };
        let last_word = raw.iter().rposition(|byte| *byte == b' ');
        let protocol = last_word
            .map(|space| space + 1)
            .filter(|word| start < *word && raw[*word..].starts_with(b"HTTP/"));
        let end = protocol.map_or(raw.len(), |word| word - 1);
        Self {
            method: has_method.then(|| request.part(0..method)),
            path: (!raw.is_empty() && raw != b"-").then(|| request.part(start..end)),
            protocol: protocol.map(|word| request.part(word..raw.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(raw: &str) -> [Option<String>; 3] {
        let request = Request::of(Text::plain(raw.as_bytes()));
        [request.method, request.path, request.protocol]
            .map(|word| word.map(|word| String::from_utf8(word.raw().to_vec()).unwrap()))
    }

    fn words(words: [&str; 3]) -> [Option<String>; 3] {
        words.map(|word| (word != "none").then(|| word.to_owned()))
    }

    #[test]
    fn a_request_is_a_method_a_path_and_a_protocol() {
        for (raw, wanted) in [
            ("GET /x HTTP/1.0", ["GET", "/x", "HTTP/1.0"]),
            ("M-SEARCH * HTTP/1.1", ["M-SEARCH", "*", "HTTP/1.1"]),
            ("GET /a b c HTTP/2.0", ["GET", "/a b c", "HTTP/2.0"]),
            ("GET  HTTP/1.1", ["GET", "", "HTTP/1.1"]),
        ] {
            assert_eq!(request(raw), words(wanted), "{raw}");
        }
    }

    #[test]
    fn what_is_missing_of_a_request_is_none_and_what_is_none_is_its_path() {
        for (raw, wanted) in [
            ("-", ["none", "none", "none"]),
            ("", ["none", "none", "none"]),
            ("GET /x", ["GET", "/x", "none"]),
            ("GET /a b", ["GET", "/a b", "none"]),
            ("GET HTTP/1.1", ["GET", "HTTP/1.1", "none"]),
            ("GET", ["none", "GET", "none"]),
            (r"\x16\x03\x01", ["none", r"\x16\x03\x01", "none"]),
            ("?? ?? HTTP/1.1", ["none", "?? ??", "HTTP/1.1"]),
        ] {
            assert_eq!(request(raw), words(wanted), "{raw}");
        }
    }

    #[test]
    fn each_fault_is_named_with_its_column() {
        let good = r#"h i u [10/Oct/2000:13:55:36 -0700] "G /x H" 200 23 "r" "a""#;
        assert!(Line::parse(good.as_bytes()).is_ok());
        for (from, to, reason) in [
            ("h i", "", "column 1: expected the remote host"),
            ("h i", "h  i", "column 3: expected the identity"),
            ("[10", "10", "column 7: expected a [ before the time"),
            ("[10", "[1", "column 8: expected a day of two digits"),
            (
                "0700] ",
                "0700]",
                "column 35: expected a space after the time",
            ),
            (
                "\"G /x H\"",
                "G",
                "column 36: expected a \" before the request",
            ),
            (
                "\"G /x H\" ",
                "\"\"",
                "column 38: expected a space after the request",
            ),
            ("200", "2", "column 45: expected a status of three digits"),
            (
                "200",
                "2000",
                "column 48: expected a space after the status",
            ),
            ("23", "x", "column 49: expected a number of bytes or -"),
            (
                "23",
                "-1",
                "column 50: expected a space after the number of bytes",
            ),
            ("\"r\"", "-", "column 52: expected a \" before the referer"),
            (
                "\"a\"",
                "\"a",
                "column 58: expected a \" after the user agent",
            ),
            (
                "\"a\"",
                r#""a\""#,
                "column 60: expected a \" after the user agent",
            ),
            (
                "\"a\"",
                "\"a\" b",
                "column 59: expected the end of the line",
            ),
            (
                "\"a\"",
                "\"a\"\n\n",
                "column 59: expected the end of the line",
            ),
        ] {
            let (before, after) = good.rsplit_once(from).unwrap();
            let bad = format!("{before}{to}{after}");
            let error = Line::parse(bad.as_bytes()).unwrap_err();
            assert_eq!(error.reason(), reason, "{bad}");
        }
    }

    #[test]
    fn a_column_counts_characters() {
        let error = Line::parse("héß".as_bytes()).unwrap_err();
        assert_eq!(
            error.reason(),
            "column 4: expected a space after the remote host"
        );
        let error = Line::parse(b"\xff\xff x").unwrap_err();
        assert_eq!(
            error.reason(),
            "column 5: expected a space after the identity"
        );
    }

    #[test]
    fn every_beginning_of_a_line_fails_and_none_panics() {
        let good = r#"h i u [10/Oct/2000:13:55:36 -0700] "G /x H" 200 23 "r" "a""#;
        for end in 0..good.len() {
            assert!(
                Line::parse(&good.as_bytes()[..end]).is_err(),
                "{}",
                &good[..end]
            );
        }
        for line_end in ["", "\n", "\r\n", "\r"] {
            assert!(Line::parse(format!("{good}{line_end}").as_bytes()).is_ok());
        }
    }
}
