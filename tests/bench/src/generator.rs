//! The load: requests made beforehand, sent over kept-alive connections, and answers looked at
//! just enough to know that they are good.
//!
//! One thread waits for all connections with epoll, edge-triggered: against a server on the same
//! processors it takes fewer switches between threads than a thread a connection.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

use crate::Failure;
use crate::answer::Answer;
use crate::latency::{Latencies, Percentiles};
use crate::socket::{Socket, Trust};
use crate::usage::thread_cpu;

/// How long the last answers may take after the time is up.
const DRAIN: Duration = Duration::from_secs(10);
const REFUSED_CHARS: usize = 160;
const WAIT_MAX: Duration = Duration::from_millis(100);

/// What came of a load.
#[derive(Debug)]
pub struct Outcome {
    /// Answers 200 without a refused record, within the time.
    pub good: u64,
    /// Answers with another status, or with a refused record.
    pub refused: u64,
    /// The first of them.
    pub first_refused: Option<String>,
    /// The time in which the good answers came.
    pub took: Duration,
    /// How long each request took, from when it was due until its answer.
    pub latency: Percentiles,
    /// Processor time of the generator.
    pub cpu: Duration,
}

impl Outcome {
    /// Good answers in a second; an error if there are none.
    pub fn per_second(&self) -> Result<f64, Failure> {
        match &self.first_refused {
            Some(answer) if self.good == 0 => Err(format!("refused: {answer}").into()),
            _ => Ok(self.good as f64 / self.took.as_secs_f64()),
        }
    }

    /// A note about the answers that were not good; empty if there were none.
    pub fn note(&self) -> String {
        match &self.first_refused {
            Some(answer) => {
                let body = answer.rsplit('\n').next().unwrap_or_default();
                let body: String = body.chars().take(REFUSED_CHARS).collect();
                format!("{} refused, first: {body}", self.refused)
            }
            None => String::new(),
        }
    }
}

/// How fast to send.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// The next request as soon as a connection is free.
    Flat,
    /// So many requests a second, due at even intervals however slow the answers are.
    PerSecond(f64),
}

/// What to send.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Requests, sent in turn.
    pub requests: &'a [Vec<u8>],
    /// How fast.
    pub pace: Pace,
    /// How long at most.
    pub duration: Duration,
    /// How many good answers are enough.
    pub enough: u64,
}

impl<'a> Load<'a> {
    /// As fast as answers come, for so long.
    pub fn flat(requests: &'a [Vec<u8>], duration: Duration) -> Self {
        Self {
            requests,
            pace: Pace::Flat,
            duration,
            enough: u64::MAX,
        }
    }
}

/// Connections to one server.
#[derive(Debug)]
pub struct Generator {
    epoll: OwnedFd,
    connections: Vec<Connection>,
}

impl Generator {
    /// Connects.
    pub fn connect(address: SocketAddr, connections: usize) -> Result<Self, Failure> {
        Self::connect_by(address, connections, None)
    }

    /// Connects, within TLS where there is something to trust.
    pub fn connect_by(
        address: SocketAddr,
        connections: usize,
        trust: Option<&Trust>,
    ) -> Result<Self, Failure> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let connections = (0..connections)
            .map(|index| {
                let connection = Connection::open(address, trust)?;
                let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
                let data = epoll::EventData::new_u64(index as u64);
                epoll::add(&epoll, &connection.socket, data, flags)?;
                Ok(connection)
            })
            .collect::<Result<_, Failure>>()?;
        Ok(Self { epoll, connections })
    }

    /// Sends a load, then waits for the answers still out.
    pub fn run(&mut self, load: &Load<'_>) -> Result<Outcome, Failure> {
        let cpu_before = thread_cpu();
        let mut run = Run::new(load, self.connections.len())?;
        let mut events = Vec::with_capacity(self.connections.len());
        run.send_due(&mut self.connections)?;
        while run.goes_on()? {
            events.clear();
            let timeout = run.wait();
            let buffer = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, buffer, Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let index = usize::try_from(event.data.u64())?;
                if self.connections[index].advance(load.requests)? {
                    run.answered(index, &self.connections[index])?;
                    self.connections[index].answer.clear();
                }
            }
            run.send_due(&mut self.connections)?;
        }
        Ok(run.finish(thread_cpu().saturating_sub(cpu_before)))
    }
}

/// One run: what is due, what is idle, and what was counted.
struct Run<'a> {
    load: &'a Load<'a>,
    begin: Instant,
    end: Instant,
    sent: u64,
    idle: VecDeque<usize>,
    connections: usize,
    good: u64,
    refused: u64,
    first_refused: Option<String>,
    latencies: Latencies,
    last_answer: Instant,
}

impl<'a> Run<'a> {
    fn new(load: &'a Load<'a>, connections: usize) -> Result<Self, Failure> {
        let begin = Instant::now();
        Ok(Self {
            load,
            begin,
            end: begin + load.duration,
            sent: 0,
            idle: (0..connections).collect(),
            connections,
            good: 0,
            refused: 0,
            first_refused: None,
            latencies: Latencies::new()?,
            last_answer: begin,
        })
    }

    /// When the next request is due; `None` if no more is to be sent.
    fn next_due(&self) -> Option<Instant> {
        let out = self.connections - self.idle.len();
        if self.good + out as u64 >= self.load.enough {
            return None;
        }
        let due = match self.load.pace {
            Pace::Flat => Instant::now(),
            Pace::PerSecond(rate) => self.begin + Duration::from_secs_f64(self.sent as f64 / rate),
        };
        (due < self.end).then_some(due)
    }

    fn goes_on(&self) -> Result<bool, Failure> {
        let now = Instant::now();
        if now > self.end + DRAIN {
            return Err("answers are missing long after the last request".into());
        }
        let all_idle = self.idle.len() == self.connections;
        Ok(!(all_idle && self.next_due().is_none()))
    }

    fn wait(&self) -> Timespec {
        let until_due = match (self.load.pace, self.next_due()) {
            (Pace::PerSecond(_), Some(due)) if !self.idle.is_empty() => {
                due.saturating_duration_since(Instant::now()).min(WAIT_MAX)
            }
            _ => WAIT_MAX,
        };
        Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(until_due.subsec_nanos()),
        }
    }

    fn send_due(&mut self, connections: &mut [Connection]) -> Result<(), Failure> {
        while let Some(index) = self.idle.front().copied() {
            let Some(due) = self.next_due() else {
                return Ok(());
            };
            if due > Instant::now() {
                return Ok(());
            }
            self.idle.pop_front();
            let request = usize::try_from(self.sent)? % self.load.requests.len();
            self.sent += 1;
            connections[index].begin(request, due);
            connections[index].send(self.load.requests)?;
        }
        Ok(())
    }

    fn answered(&mut self, index: usize, connection: &Connection) -> Result<(), Failure> {
        let now = Instant::now();
        self.idle.push_back(index);
        if !connection.answer.is_good() {
            self.refused += 1;
            self.first_refused
                .get_or_insert_with(|| connection.answer.excerpt());
        } else if now <= self.end || matches!(self.load.pace, Pace::PerSecond(_)) {
            self.good += 1;
            self.last_answer = now;
            self.latencies.add(now.duration_since(connection.due));
        }
        Ok(())
    }

    fn finish(self, cpu: Duration) -> Outcome {
        Outcome {
            good: self.good,
            refused: self.refused,
            first_refused: self.first_refused,
            took: match self.load.pace {
                Pace::Flat if self.good < self.load.enough => self.load.duration,
                _ => self.last_answer.duration_since(self.begin),
            },
            latency: self.latencies.percentiles(),
            cpu,
        }
    }
}

#[derive(Debug)]
struct Connection {
    socket: Socket,
    request: usize,
    sent: usize,
    due: Instant,
    answer: Answer,
}

impl Connection {
    fn open(address: SocketAddr, trust: Option<&Trust>) -> Result<Self, Failure> {
        Ok(Self {
            socket: Socket::connect(address, trust)?,
            request: 0,
            sent: usize::MAX,
            due: Instant::now(),
            answer: Answer::default(),
        })
    }

    fn begin(&mut self, request: usize, due: Instant) {
        self.request = request;
        self.sent = 0;
        self.due = due;
    }

    /// Sends what the socket takes.
    fn send(&mut self, requests: &[Vec<u8>]) -> Result<(), Failure> {
        let request = &requests[self.request];
        while self.sent < request.len() {
            match self.socket.write(&request[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(format!("send a request: {error}").into()),
            }
        }
        Ok(())
    }

    /// Does what the socket is ready for; true when an answer is complete.
    fn advance(&mut self, requests: &[Vec<u8>]) -> Result<bool, Failure> {
        if self.sent == usize::MAX {
            return Ok(false);
        }
        self.send(requests)?;
        loop {
            match self.socket.read(self.answer.room()?) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(count) => {
                    if self.answer.grew(count)? {
                        self.sent = usize::MAX;
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(format!("read an answer: {error}").into()),
            }
        }
    }
}
