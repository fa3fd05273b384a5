//! `FAST_REGEX_LOG_PARSER`: patterns that take as little as they can, and all of the line.

use super::{Columns, described, groups};
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::functions::regex as patterns;

/// A column for each group; all null where the pattern does not take the whole line.
pub(super) fn parse(name: &str, arguments: &[Expr]) -> Result<Columns, Invalid> {
    let (line, pattern) = described(name, arguments)?;
    let pattern = translated(pattern).map_err(Invalid::new)?;
    let regex = patterns::compile_as(&format!("^(?s:{pattern})$"), true).map_err(Invalid::new)?;
    groups(name, &line, &regex)
}

/// Its notation differs: `@` is any text, and what stands in quotes means itself.
fn translated(pattern: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut letters = pattern.chars();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                out.push(letter);
                out.extend(letters.next());
            }
            '[' | ']' => {
                in_class = letter == '[';
                out.push(letter);
            }
            _ if in_class => out.push(letter),
            '@' => out.push_str(".*"),
            '"' => {
                let quoted: String = letters
                    .by_ref()
                    .take_while(|letter| *letter != '"')
                    .collect();
                out.push_str(&regex::escape(&quoted));
            }
            '#' | '&' | '~' | '<' | '>' => {
                return Err(format!(
                    "{letter} has a meaning of its own in a fast pattern, which is not there here; \
                     a backslash before it makes it mean itself"
                ));
            }
            '^' | '$' => {
                out.push('\\');
                out.push(letter);
            }
            _ => out.push(letter),
        }
    }
    Ok(out)
}
