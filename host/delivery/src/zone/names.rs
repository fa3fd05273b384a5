//! What time zones are called, as Java prints it in the locale of the United States.
//!
//! The table beside this file was printed by Java (`prefix/JavasTexts.java`). A line holds four
//! names, `short|long|short|long`, first those of the winter; the lines after it that begin with a
//! tab are the ids of the zones that have them. Names of objects are made of it: where an entry is
//! changed, objects of cuts that are on their way get other names.

static TABLE: &str = include_str!("javas_zones.txt");

/// What the time of a zone is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    /// `PDT`.
    pub short: &'static str,
    /// `Pacific Daylight Time`.
    pub long: &'static str,
}

/// The names of a zone in winter and in summer, if there is such a zone.
pub fn of(zone: &str) -> Option<[Names; 2]> {
    let mut names = None;
    for line in TABLE.lines() {
        match line.strip_prefix('\t') {
            Some(id) if id == zone => return names.and_then(read),
            Some(_) => {}
            None => names = Some(line),
        }
    }
    None
}

fn read(line: &'static str) -> Option<[Names; 2]> {
    let mut names = line.split('|');
    let mut next = || {
        let (short, long) = (names.next()?, names.next()?);
        Some(Names { short, long })
    };
    Some([next()?, next()?])
}

/// The ids of all zones.
pub fn ids() -> impl Iterator<Item = &'static str> {
    TABLE.lines().filter_map(|line| line.strip_prefix('\t'))
}
