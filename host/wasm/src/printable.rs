//! Text of others as it may stand in a log, on a page or on a terminal.

/// At most `bytes_max` bytes of `text`, with control characters written as escapes.
pub(crate) fn printable(text: &str, bytes_max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(bytes_max));
    for character in text.chars() {
        let before = out.len();
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
        if bytes_max < out.len() {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_move_a_cursor_or_be_longer_than_allowed() {
        assert_eq!(printable("a\x1b[2Jb\n", 100), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("éééé", 5), "éé…");
        assert_eq!(printable("", 0), "");
    }
}
