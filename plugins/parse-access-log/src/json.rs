//! A line as a JSON object and a line feed.

use crate::line::Line;
use crate::text::Text;

/// Writes the object.
pub fn write(line: &Line<'_>, out: &mut Vec<u8>) {
    text(out, "{\"remote_host\":", Some(line.remote_host));
    text(out, ",\"identity\":", line.identity.unless_dash());
    text(out, ",\"user\":", line.user.unless_dash());
    out.extend_from_slice(b",\"time\":\"");
    line.time.write(out);
    text(out, "\",\"method\":", line.request.method);
    text(out, ",\"path\":", line.request.path);
    text(out, ",\"protocol\":", line.request.protocol);
    number(out, ",\"status\":", Some(line.status));
    number(out, ",\"bytes\":", line.bytes);
    text(out, ",\"referer\":", line.referer.unless_dash());
    text(out, ",\"user_agent\":", line.user_agent.unless_dash());
    out.extend_from_slice(b"}\n");
}

fn text(out: &mut Vec<u8>, name: &str, text: Option<Text<'_>>) {
    out.extend_from_slice(name.as_bytes());
    match text {
        Some(text) => text.write_json(out),
        None => out.extend_from_slice(b"null"),
    }
}

fn number(out: &mut Vec<u8>, name: &str, digits: Option<&[u8]>) {
    out.extend_from_slice(name.as_bytes());
    // A number in JSON does not begin with 0, unless it is 0.
    let first = |digits: &[u8]| digits.iter().position(|digit| *digit != b'0');
    out.extend_from_slice(match digits {
        Some(digits) => first(digits).map_or(b"0", |first| &digits[first..]),
        None => b"null",
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(line: &str) -> String {
        let mut out = Vec::new();
        write(&Line::parse(line.as_bytes()).unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_members_stand_in_the_order_of_the_line() {
        let line = "127.0.0.1 id frank [10/Oct/2000:13:55:36 -0700] \
            \"GET /x HTTP/1.0\" 200 2326 \"http://example.org/\" \"Mozilla/4.08 [en]\"";
        let wanted = "{\"remote_host\":\"127.0.0.1\",\"identity\":\"id\",\"user\":\"frank\",\
            \"time\":\"2000-10-10T13:55:36-07:00\",\"method\":\"GET\",\"path\":\"/x\",\
            \"protocol\":\"HTTP/1.0\",\"status\":200,\"bytes\":2326,\
            \"referer\":\"http://example.org/\",\"user_agent\":\"Mozilla/4.08 [en]\"}\n";
        assert_eq!(json(line), wanted);
    }

    #[test]
    fn what_the_log_does_not_know_is_null() {
        let line = "- - - [10/Oct/2000:13:55:36 -0700] \"-\" 408 - \"-\" \"-\"";
        let wanted = "{\"remote_host\":\"-\",\"identity\":null,\"user\":null,\
            \"time\":\"2000-10-10T13:55:36-07:00\",\"method\":null,\"path\":null,\
            \"protocol\":null,\"status\":408,\"bytes\":null,\
            \"referer\":null,\"user_agent\":null}\n";
        assert_eq!(json(line), wanted);
    }

    #[test]
    fn numbers_lose_the_zeros_that_json_forbids() {
        let line = "h - - [10/Oct/2000:13:55:36 -0700] \"-\" 000 00120 \"-\" \"\"";
        let json = json(line);
        assert!(json.contains(",\"status\":0,\"bytes\":120,"), "{json}");
        assert!(json.ends_with(",\"user_agent\":\"\"}\n"), "{json}");
    }
}
