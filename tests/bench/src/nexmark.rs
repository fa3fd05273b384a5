//! Events of an auction house, as the Nexmark benchmark has them: of fifty one is a new person,
//! three are new auctions and the others bids.

use std::io::Write;

use crate::Failure;
use crate::random::Random;

/// Events in a second, by the clock that they carry.
const EVENTS_PER_SECOND: u64 = 10_000;
const MS_PER_SECOND: u64 = 1_000;
const ROUND: u64 = 50;
const AUCTIONS_PER_ROUND: u64 = 3;
/// Bids go to auctions, and auctions to sellers, that came lately.
const LATELY: u64 = 1_000;
const STATES: [&str; 6] = ["OR", "ID", "CA", "WA", "AZ", "WY"];
const CITIES: [&str; 4] = ["Portland", "Boise", "San Francisco", "Phoenix"];
const CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];

/// Events as JSON, one behind the other.
pub struct Events {
    bytes: Vec<u8>,
    /// Where each begins, and one more.
    begins: Vec<usize>,
}

impl Events {
    /// So many of them, the same ones each time.
    pub fn new(count: u64) -> Result<Self, Failure> {
        let mut random = Random::new(20_261_130);
        let mut events = Self {
            bytes: Vec::new(),
            begins: vec![0],
        };
        let (mut persons, mut auctions) = (0, 0);
        for number in 0..count {
            let out = &mut events.bytes;
            match number % ROUND {
                0 => {
                    persons += 1;
                    person(out, persons, &mut random)?;
                }
                1..=AUCTIONS_PER_ROUND => {
                    auctions += 1;
                    auction(out, auctions, persons, &mut random)?;
                }
                _ => bid(out, auctions, persons, &mut random)?,
            }
            events.begins.push(events.bytes.len());
        }
        Ok(events)
    }

    /// Each event, and when it came in milliseconds.
    pub fn each(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let bounds = self.begins.windows(2).enumerate();
        bounds.map(|(number, bounds)| {
            let at = number as u64 * MS_PER_SECOND / EVENTS_PER_SECOND;
            (&self.bytes[bounds[0]..bounds[1]], at)
        })
    }

    pub fn count(&self) -> usize {
        self.begins.len() - 1
    }

    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// One of the last so many.
fn lately(random: &mut Random, last: u64) -> u64 {
    last.saturating_sub(random.number() % LATELY.min(last.max(1)))
}

fn one_of<'a>(random: &mut Random, texts: &[&'a str]) -> Result<&'a str, Failure> {
    let number = usize::try_from(random.number() % (texts.len() as u64))?;
    Ok(texts[number])
}

fn person(out: &mut Vec<u8>, id: u64, random: &mut Random) -> Result<(), Failure> {
    let city = one_of(random, &CITIES)?;
    let state = one_of(random, &STATES)?;
    let card = random.number() % 10_000;
    write!(
        out,
        r#"{{"kind":"person","id":{id},"name":"vicky {id} noris","email":"v{id}@example.com","card":"4444 5555 6666 {card:04}","city":"{city}","state":"{state}","extra":"yxcvasdfqwerpoiulkjhmnbzuiop"}}"#
    )?;
    Ok(())
}

fn auction(out: &mut Vec<u8>, id: u64, persons: u64, random: &mut Random) -> Result<(), Failure> {
    let seller = lately(random, persons);
    let category = 10 + random.number() % 5;
    let reserve = random.number() % 10_000;
    write!(
        out,
        r#"{{"kind":"auction","id":{id},"item":"item number {id}","description":"as good as new, hardly used, one owner, comes with its box","initial":{},"reserve":{reserve},"seller":{seller},"category":{category},"extra":"lkjhgfdsapoiuztrewqmnbvcxy"}}"#,
        reserve / 2
    )?;
    Ok(())
}

fn bid(out: &mut Vec<u8>, auctions: u64, persons: u64, random: &mut Random) -> Result<(), Failure> {
    let auction = lately(random, auctions);
    let bidder = lately(random, persons);
    let price = 100 + random.number() % 1_000_000;
    let channel = one_of(random, &CHANNELS)?;
    write!(
        out,
        r#"{{"kind":"bid","auction":{auction},"bidder":{bidder},"price":{price},"channel":"{channel}","url":"https://www.example.com/item.htm?query=1&channel_id={}","extra":"qwertzuiopasdfghjklyxcvbnmqwertzuiopasdfghjkl"}}"#,
        random.number() % (1 << 30)
    )?;
    Ok(())
}
