//! Rust source as lines: what is code, what is a comment, what is built for tests only. It leans
//! on rustfmt: an item ends where a line closes it at its own indentation.

/// Numbers (from 1) of the lines that are not in an item marked `#[cfg(test)]`.
pub fn production_lines(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let mut kept = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].trim_start().starts_with("#[cfg(test)]") {
            at = item_end(&lines, at);
        } else {
            kept.push(at + 1);
        }
        at += 1;
    }
    kept
}

/// Names of the modules declared as `#[cfg(test)] mod name;`.
pub fn test_only_modules(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declared = lines.windows(2).filter_map(|pair| {
        let module = pair[1].strip_suffix(';')?;
        let module = module
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ");
        (pair[0] == "#[cfg(test)]").then(|| module.strip_prefix("mod "))?
    });
    declared.collect()
}

/// The index of the last line of the item whose attributes begin at line `at`.
fn item_end(lines: &[&str], at: usize) -> usize {
    let indent = lines[at].len() - lines[at].trim_start().len();
    let closing = format!("{}}}", " ".repeat(indent));
    let end = (at..lines.len()).find(|&index| {
        let line = lines[index].trim_end();
        line == closing || (line.ends_with(';') && !line[indent..].starts_with(' '))
    });
    end.unwrap_or(lines.len() - 1)
}

/// The text with comments and the contents of strings and characters blanked; lines stay lines.
pub fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, visible) = token(rest, first);
        let (piece, after) = rest.split_at(length);
        for character in piece.chars() {
            out.push(if visible || character == '\n' {
                character
            } else {
                ' '
            });
        }
        rest = after;
    }
    out
}

/// Length of the token that `rest` begins with, and whether it is code.
fn token(rest: &str, first: char) -> (usize, bool) {
    let until = |end: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
    match first {
        '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
        '/' if rest.starts_with("/*") => (until("*/"), false),
        '"' => (string_length(rest), false),
        'r' | 'b' | 'c' => prefixed_string_length(rest)
            .map_or_else(|| (word_length(rest), true), |length| (length, false)),
        '\'' => character_length(rest).map_or((1, true), |length| (length, false)),
        _ if first.is_alphanumeric() || first == '_' => (word_length(rest), true),
        _ => (first.len_utf8(), true),
    }
}

fn word_length(rest: &str) -> usize {
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    end.unwrap_or(rest.len()).max(1)
}

/// The length of `"…"` with escapes.
fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of `b"…"`, `r"…"`, `br#"…"#` and their like, if `rest` begins with one.
fn prefixed_string_length(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c"].into_iter().find(|prefix| {
        rest.strip_prefix(prefix)
            .is_some_and(|after| after.starts_with(['"', '#']))
    })?;
    let after = &rest[prefix.len()..];
    if !prefix.ends_with('r') {
        return after
            .starts_with('"')
            .then(|| prefix.len() + string_length(after));
    }
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(prefix.len() + hashes + 1 + length)
}

/// The length of `'x'` or `'\n'`; none for a lifetime.
fn character_length(rest: &str) -> Option<usize> {
    let body = &rest[1..];
    if let Some(escape) = body.strip_prefix('\\') {
        let escaped = escape.chars().next()?.len_utf8();
        return escape[escaped..].find('\'').map(|at| 2 + escaped + at + 1);
    }
    let character = body.chars().next()?.len_utf8();
    body[character..]
        .starts_with('\'')
        .then_some(1 + character + 1)
}

/// Whether `word` stands in `line` on its own, not inside a longer name.
pub fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_for_tests_are_cut_and_what_follows_them_is_kept() {
        let text =
            "fn a() {\n    b();\n}\n#[cfg(test)]\nmod tests {\n    fn c() {\n    }\n}\nfn d() {}\n";
        assert_eq!(production_lines(text), [1, 2, 3, 9]);
        let text = "#[cfg(test)]\nuse x::y;\nfn d() {}\n\
            \x20   #[cfg(test)]\n    pub fn e() {\n    }\nfn f() {}";
        assert_eq!(production_lines(text), [3, 7]);
    }

    #[test]
    fn a_module_in_its_own_file_is_found_when_it_is_for_tests() {
        let text = "#[cfg(test)]\nmod tests;\n#[cfg(test)]\npub mod suite;\nmod real;\n";
        assert_eq!(test_only_modules(text), ["tests", "suite"]);
    }

    #[test]
    fn comments_and_strings_are_blanked_and_code_stays() {
        let cases = [
            ("a // b\nc", "a     \nc"),
            ("a /* b\n */ c", "a     \n    c"),
            ("x(\"b\\\"c\") d", "x(      ) d"),
            ("x(r#\"b\"c\"#) d", "x(        ) d"),
            ("x(b\"ab\", 'c', '\\'') d", "x(     ,    ,     ) d"),
            ("fn a<'b>(c: &'b str)", "fn a<'b>(c: &'b str)"),
            ("bar(rest, crab)", "bar(rest, crab)"),
        ];
        for (text, wanted) in cases {
            assert_eq!(code(text), wanted);
        }
    }

    #[test]
    fn a_word_inside_a_longer_name_is_not_that_word() {
        assert!(has_word("use tokio::fs;", "tokio"));
        assert!(!has_word("use my_tokio::fs;", "tokio"));
        assert!(!has_word("tokio_util::x", "tokio"));
    }
}
