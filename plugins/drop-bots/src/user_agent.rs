//! Where the user agent stands in a line of the combined format: it is the third quoted field,
//! after the request and the referer.

/// Fields between quotes before the user agent.
const QUOTED_BEFORE: usize = 2;

/// The user agent as it was logged, with its escapes. None when the line has none, or one that is
/// cut off.
pub fn find(line: &[u8]) -> Option<&[u8]> {
    let mut rest = line;
    for _ in 0..QUOTED_BEFORE {
        rest = after_quote(after_quote(rest)?.1)?.1;
    }
    let (user_agent, _) = after_quote(after_quote(rest)?.1)?;
    Some(user_agent)
}

/// What is before the next quote that is not escaped, and what is after it.
fn after_quote(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut place = 0;
    loop {
        place += match text.get(place)? {
            b'"' => return Some((&text[..place], &text[place + 1..])),
            b'\\' => 2,
            _ => 1,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_agent(line: &str) -> Option<&str> {
        find(line.as_bytes()).map(|agent| str::from_utf8(agent).unwrap())
    }

    #[test]
    fn the_third_quoted_field_is_the_user_agent() {
        for (line, wanted) in [
            (
                r#"h - - [t] "GET / HTTP/1.0" 200 1 "-" "Mozilla/5.0 (X11)""#,
                "Mozilla/5.0 (X11)",
            ),
            (r#""a" "b" "c" "d""#, "c"),
            (r#""a\"b" "\\" "c\"d\\""#, r#"c\"d\\"#),
            (r#"us\"er "a" "b" "c""#, "c"),
            ("\"\" \"\" \"\"\r\n", ""),
        ] {
            assert_eq!(user_agent(line), Some(wanted));
        }
    }

    #[test]
    fn a_line_that_ends_before_or_within_the_user_agent_has_none() {
        let line = r#"h - - [t] "GET / HTTP/1.0" 200 1 "-" "Mozilla/5.0 \" (X11)""#;
        for end in 0..line.len() {
            assert_eq!(user_agent(&line[..end]), None, "{}", &line[..end]);
        }
    }
}
