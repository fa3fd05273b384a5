//! Answers, looked at as little as possible: the status, the length, and whether records were
//! refused.

use crate::Failure;

/// An answer longer than this is refused.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const ANSWER_BYTES_FIRST: usize = 64 * 1024;
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Where the count of refused records is looked for at both ends of an answer.
const FAILED_COUNT_WITHIN: usize = 128;

/// An answer as far as it has come.
#[derive(Debug, Default)]
pub struct Answer {
    buffer: Vec<u8>,
    filled: usize,
    body_start: usize,
    length: Option<usize>,
}

impl Answer {
    /// Where the next bytes go; never empty.
    pub fn room(&mut self) -> Result<&mut [u8], Failure> {
        let wanted = self.length.unwrap_or(ANSWER_BYTES_FIRST);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        if self.filled == self.buffer.len() {
            return Err("more bytes came than the answer has".into());
        }
        Ok(&mut self.buffer[self.filled..])
    }

    /// So many bytes have come; true when the answer is complete.
    pub fn grew(&mut self, count: usize) -> Result<bool, Failure> {
        self.filled += count;
        if self.length.is_none() {
            self.length = self.find_length()?;
        }
        Ok(self.length == Some(self.filled))
    }

    fn find_length(&mut self) -> Result<Option<usize>, Failure> {
        let head = &self.buffer[..self.filled];
        let Some(head_length) = memchr::memmem::find(head, b"\r\n\r\n") else {
            if self.filled > HEAD_BYTES_MAX {
                return Err("an answer's head does not end".into());
            }
            return Ok(None);
        };
        self.body_start = head_length + 4;
        let length = self.body_start + content_length(&head[..head_length])?;
        if length > ANSWER_BYTES_MAX {
            return Err(format!("an answer has {length} bytes").into());
        }
        Ok(Some(length))
    }

    /// 200, and no record in it refused.
    pub fn is_good(&self) -> bool {
        const FAILED: &[u8] = b"\"FailedRecordCount\":";
        if !self.buffer[..self.filled].starts_with(b"HTTP/1.1 200") {
            return false;
        }
        let body = &self.buffer[self.body_start..self.filled];
        let ends = [
            &body[..body.len().min(FAILED_COUNT_WITHIN)],
            &body[body.len().saturating_sub(FAILED_COUNT_WITHIN)..],
        ];
        ends.iter().all(|end| {
            let count = memchr::memmem::find(end, FAILED).map(|at| &end[at + FAILED.len()..]);
            count.is_none_or(|count| count.starts_with(b"0"))
        })
    }

    /// The body of one that is 200.
    pub fn body(&self) -> Result<&[u8], Failure> {
        if self.buffer[..self.filled].starts_with(b"HTTP/1.1 200") {
            Ok(&self.buffer[self.body_start..self.filled])
        } else {
            Err(format!("refused: {}", self.excerpt()).into())
        }
    }

    /// Its beginning, for people.
    pub fn excerpt(&self) -> String {
        let shown = self.filled.min(600);
        String::from_utf8_lossy(&self.buffer[..shown]).into_owned()
    }

    /// Ready for the next.
    pub fn clear(&mut self) {
        self.filled = 0;
        self.length = None;
    }
}

/// The body's length that an answer's head announces.
pub fn content_length(head: &[u8]) -> Result<usize, Failure> {
    const NAME: &[u8] = b"content-length:";
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME))
        .ok_or("an answer has no Content-Length")?;
    Ok(std::str::from_utf8(&line[NAME.len()..])?.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(text: &str) -> Answer {
        let mut answer = Answer::default();
        let mut done = false;
        for byte in text.bytes() {
            assert!(!done, "it was complete before its last byte");
            answer.room().unwrap()[0] = byte;
            done = answer.grew(1).unwrap();
        }
        assert!(done, "it is complete at its last byte");
        answer
    }

    #[test]
    fn an_answer_counts_only_if_it_is_200_and_no_record_was_refused() {
        let body = r#"{"FailedRecordCount":0,"Records":[]}"#;
        let whole = |status: u16, body: &str| {
            let length = body.len();
            complete(&format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
        };
        assert!(whole(200, body).is_good());
        assert!(whole(200, "{}").is_good());
        assert!(!whole(400, body).is_good());
        assert!(!whole(200, r#"{"FailedRecordCount":3,"Records":[]}"#).is_good());
        assert!(!whole(200, r#"{"Records":[],"FailedRecordCount":1}"#).is_good());
    }
}
