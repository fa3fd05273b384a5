//! Words that give a bot away.

use millrace_sdk::Error;

/// The markers of a plugin that is not configured: what the bots of search engines, link previews
/// and archives have in their names. Tools that people use by hand, such as curl, are not bots.
pub const DEFAULT: &str = "archiver, bingpreview, bot, crawl, facebookexternalhit, feedfetcher, \
                           headlesschrome, mediapartners, slurp, spider";

/// Markers to look for.
pub struct Markers {
    /// By their first byte, in lower case: at most places of a text there is none to compare.
    by_first_byte: [Vec<Vec<u8>>; 256],
}

impl Markers {
    /// Reads a list that is separated by commas. Blanks around a marker do not count.
    ///
    /// # Errors
    /// When there is none in it.
    pub fn parse(list: &str) -> Result<Self, Error> {
        let mut by_first_byte = std::array::from_fn(|_| Vec::new());
        for marker in list.split(',').map(str::trim) {
            if let Some(first) = marker.bytes().next() {
                let alike = &mut by_first_byte[usize::from(first.to_ascii_lowercase())];
                alike.push(marker.as_bytes().to_vec());
            }
        }
        if by_first_byte.iter().all(Vec::is_empty) {
            Err(Error::new("config markers: names none"))
        } else {
            Ok(Self { by_first_byte })
        }
    }

    /// Whether one of them is in the text, in any case of its ASCII letters.
    pub fn are_in(&self, text: &[u8]) -> bool {
        text.iter().enumerate().any(|(place, byte)| {
            let candidates = &self.by_first_byte[usize::from(byte.to_ascii_lowercase())];
            candidates.iter().any(|marker| {
                let part = text.get(place..place + marker.len());
                part.is_some_and(|part| part.eq_ignore_ascii_case(marker))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_anywhere_and_in_any_case() {
        let markers = Markers::parse("bot,SPIDER , Feed-Fetcher").unwrap();
        for text in [
            "bot",
            "xBOTx",
            "a Spider",
            "feed-fetcher/1",
            "bobot",
            "\u{fc}bot",
        ] {
            assert!(markers.are_in(text.as_bytes()), "{text}");
        }
        for text in ["", "b", "bo", "b ot", "spide", "feed fetcher"] {
            assert!(!markers.are_in(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn the_search_finds_what_trying_each_place_finds() {
        let markers = Markers::parse("ab,b-b,aab").unwrap();
        let alphabet = b"aAbB-x";
        for number in 0..alphabet.len().pow(5) {
            let digits = (0..5).map(|place| number / alphabet.len().pow(place) % alphabet.len());
            let text: Vec<u8> = digits.map(|digit| alphabet[digit]).collect();
            let lower = text.to_ascii_lowercase();
            let found = ["ab", "b-b", "aab"].iter().any(|marker| {
                lower
                    .windows(marker.len())
                    .any(|part| part == marker.as_bytes())
            });
            assert_eq!(markers.are_in(&text), found, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn the_default_list_knows_bots_and_spares_browsers_and_tools() {
        let markers = Markers::parse(DEFAULT).unwrap();
        for bot in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; Baiduspider/2.0)",
            "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
            "facebookexternalhit/1.1",
            "ia_archiver",
        ] {
            assert!(markers.are_in(bot.as_bytes()), "{bot}");
        }
        for other in [
            "-",
            "curl/8.5.0",
            "Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0",
            "Mozilla/5.0 (iPad; CPU OS 6_0_1 like Mac OS X) Version/6.0 Mobile/10A523",
        ] {
            assert!(!markers.are_in(other.as_bytes()), "{other}");
        }
    }
}
