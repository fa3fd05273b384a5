//! Requests that are due at even intervals, one after the other over one connection, and when each
//! was answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use base64_simd::STANDARD;

use crate::Failure;
use crate::answer::Answer;
use crate::destination::STREAM;
use crate::events;
use crate::random::Random;
use crate::requests::{Service, Signer};

const ANSWER_MAX: Duration = Duration::from_secs(30);

/// PutRecords of lines of an access log, numbered from 0 over all of them.
#[derive(Clone, Copy, Debug)]
pub struct Visits {
    /// How many requests.
    pub requests: usize,
    /// Lines of each.
    pub lines: usize,
    /// How many requests in a second.
    pub per_second: u32,
}

impl Visits {
    /// A single line. The folder of objects is made with its first object, and can be watched then.
    pub const FIRST: Self = Self {
        requests: 1,
        lines: 1,
        per_second: 1,
    };

    /// Calls of so many lines, so many in a second, for so long.
    pub fn lasting(duration: Duration, lines: usize, per_second: u32) -> Result<Self, Failure> {
        let requests = duration.as_millis() * u128::from(per_second) / 1_000;
        Ok(Self {
            requests: usize::try_from(requests)?,
            lines,
            per_second,
        })
    }

    /// All lines.
    pub fn count(&self) -> u64 {
        (self.requests * self.lines) as u64
    }

    /// Signed requests, good for five minutes.
    pub fn signed(&self, address: SocketAddr) -> Result<Vec<Vec<u8>>, Failure> {
        let signer = Signer::new(address, Service::STREAMS)?;
        let mut random = Random::new(21);
        let first_lines = (0..self.count()).step_by(self.lines);
        first_lines
            .map(|first| {
                let numbers = first..first + self.lines as u64;
                let records: Vec<String> = numbers
                    .map(|number| {
                        let line = events::visit(number, &mut random);
                        let data = STANDARD.encode_to_string(line);
                        format!(r#"{{"Data":"{data}","PartitionKey":"key-{number:010}"}}"#)
                    })
                    .collect();
                let records = records.join(",");
                let body = format!(r#"{{"Records":[{records}],"StreamName":"{STREAM}"}}"#);
                signer.request("PutRecords", body.as_bytes())
            })
            .collect()
    }

    /// Sends requests that were signed before. Returns when each was answered; an error if any
    /// record was refused.
    pub fn send(&self, address: SocketAddr, signed: &[Vec<u8>]) -> Result<Vec<Instant>, Failure> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(ANSWER_MAX))?;
        let mut answer = Answer::default();
        let begin = Instant::now();
        let mut answered = Vec::with_capacity(signed.len());
        for (index, request) in signed.iter().enumerate() {
            let due = begin + Duration::from_secs_f64(index as f64 / f64::from(self.per_second));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            socket.write_all(request)?;
            loop {
                let count = socket.read(answer.room()?)?;
                if count == 0 {
                    return Err("the server closed a connection".into());
                }
                if answer.grew(count)? {
                    break;
                }
            }
            answered.push(Instant::now());
            if !answer.is_good() {
                return Err(format!("refused: {}", answer.excerpt()).into());
            }
            answer.clear();
        }
        Ok(answered)
    }
}
