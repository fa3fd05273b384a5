//! Requests as they go over the wire, signed beforehand.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use base64_simd::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use wire::{Codec, Writer};

use crate::Failure;
use crate::random::Random;

/// The key that the servers under measurement know.
pub const ACCESS_KEY_ID: &str = "AKIDBENCH";
/// That of another account, with the same secret.
pub const OTHER_ACCESS_KEY_ID: &str = "AKIDOTHER";
/// The secret of both.
pub const SECRET_ACCESS_KEY: &str = "bench-secret";
/// Its account.
pub const ACCOUNT: &str = "000000000000";
/// The other account.
pub const OTHER_ACCOUNT: &str = "000000000001";
/// The region that requests are signed for.
pub const REGION: &str = "us-east-1";

const SECONDS_PER_DAY: u64 = 86_400;

/// What requests are signed for, and how its operations are named.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    name: &'static str,
    target: &'static str,
}

impl Service {
    /// Data Streams, and the pages of the server itself.
    pub const STREAMS: Self = Self {
        name: "kinesis",
        target: "Kinesis_20131202",
    };
    /// Data Firehose.
    pub const DELIVERY: Self = Self {
        name: "firehose",
        target: "Firehose_20150804",
    };
}

/// Signs with AWS Signature Version 4
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
/// Good for the five minutes after it was made that the service allows.
#[derive(Clone, Debug)]
pub struct Signer {
    service: Service,
    access_key_id: &'static str,
    host: String,
    date_time: String,
    scope: String,
    key: Vec<u8>,
}

impl Signer {
    /// Signs for the server at `address`, now.
    pub fn new(address: SocketAddr, service: Service) -> Result<Self, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let (year, month, day) = civil(now / SECONDS_PER_DAY);
        let date = format!("{year:04}{month:02}{day:02}");
        let second = now % SECONDS_PER_DAY;
        let (hour, minute) = (second / 3_600, second / 60 % 60);
        let mut key = format!("AWS4{SECRET_ACCESS_KEY}").into_bytes();
        for part in [date.as_str(), REGION, service.name, "aws4_request"] {
            key = hmac(&key, part.as_bytes())?;
        }
        Ok(Self {
            service,
            access_key_id: ACCESS_KEY_ID,
            host: address.to_string(),
            date_time: format!("{date}T{hour:02}{minute:02}{:02}Z", second % 60),
            scope: format!("{date}/{REGION}/{}/aws4_request", service.name),
            key,
        })
    }

    /// The same for the other account.
    pub fn of_other_account(self) -> Self {
        Self {
            access_key_id: OTHER_ACCESS_KEY_ID,
            ..self
        }
    }

    /// A whole request for one operation, with a body in JSON.
    pub fn request(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        self.request_in(Codec::Json, operation, body)
    }

    /// A whole request for one operation.
    pub fn request_in(
        &self,
        codec: Codec,
        operation: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let target = format!("{}.{operation}", self.service.target);
        let headers = [
            ("content-type", codec.content_type()),
            ("host", &self.host),
            ("x-amz-date", &self.date_time),
            ("x-amz-target", &target),
        ];
        self.signed("POST /", &headers, body)
    }

    /// A whole request for a page of the server.
    pub fn page(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let headers = [
            ("host", self.host.as_str()),
            ("x-amz-date", &self.date_time),
        ];
        self.signed(&format!("GET {path}"), &headers, b"")
    }

    /// A whole request that orders something of a page of the server.
    pub fn order(&self, path: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let headers = [
            ("host", self.host.as_str()),
            ("x-amz-date", &self.date_time),
        ];
        self.signed(&format!("POST {path}"), &headers, body)
    }

    /// A request with these headers in order of their names, all of them signed.
    fn signed(
        &self,
        method_and_path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let mut canonical = method_and_path.replace(' ', "\n") + "\n\n";
        let mut head = format!("{method_and_path} HTTP/1.1\r\n");
        for (name, value) in headers {
            canonical += &format!("{name}:{value}\n");
            head += &format!("{name}: {value}\r\n");
        }
        canonical += &format!("\n{names}\n{}", hex(&Sha256::digest(body)));
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            self.date_time,
            self.scope,
            hex(&Sha256::digest(canonical.as_bytes()))
        );
        let signature = hex(&hmac(&self.key, to_sign.as_bytes())?);
        head += &format!(
            "authorization: AWS4-HMAC-SHA256 Credential={}/{}, \
             SignedHeaders={names}, Signature={signature}\r\ncontent-length: {}\r\n\r\n",
            self.access_key_id,
            self.scope,
            body.len()
        );
        let mut request = Vec::with_capacity(head.len() + body.len());
        request.extend_from_slice(head.as_bytes());
        request.extend_from_slice(body);
        Ok(request)
    }
}

/// Records of one kind, in one request.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// What the tables call it.
    pub name: &'static str,
    /// Records of one request.
    pub records: usize,
    /// Bytes of data of one record.
    pub record_bytes: usize,
    /// PutRecord instead of PutRecords.
    pub single: bool,
    /// How its request is written.
    pub codec: Codec,
    /// In what its rate is given: `MB/s` of data or `records/s`.
    pub unit: &'static str,
}

impl Batch {
    /// PutRecord of 1 KiB.
    pub const ONE: Self = Self {
        name: "put_record",
        records: 1,
        record_bytes: 1024,
        single: true,
        codec: Codec::Json,
        unit: "records/s",
    };
    /// PutRecords of 500 times 1 KiB.
    pub const LARGE: Self = Self {
        name: "put_records_500x1k",
        records: 500,
        record_bytes: 1024,
        single: false,
        codec: Codec::Json,
        unit: "MB/s",
    };
    /// The same in CBOR, which has no base64 to pay for.
    pub const LARGE_CBOR: Self = Self {
        name: "put_records_500x1k_cbor",
        codec: Codec::Cbor,
        ..Self::LARGE
    };
    /// The same into an encrypted stream.
    pub const LARGE_ENCRYPTED: Self = Self {
        name: "put_records_500x1k_encrypted",
        ..Self::LARGE
    };
    /// PutRecords of 100 times 100 bytes.
    pub const SMALL: Self = Self {
        name: "put_records_100x100",
        records: 100,
        record_bytes: 100,
        single: false,
        codec: Codec::Json,
        unit: "records/s",
    };
    /// The kinds that have goals.
    pub const ALL: [Self; 3] = [Self::ONE, Self::LARGE, Self::SMALL];

    /// A rate of requests in the batch's unit.
    pub fn rate(&self, requests_per_second: f64) -> f64 {
        if self.unit == "MB/s" {
            requests_per_second * self.data_bytes() as f64 / 1e6
        } else {
            requests_per_second * self.records as f64
        }
    }

    /// The operation that takes it.
    pub fn operation(&self) -> &'static str {
        if self.single {
            "PutRecord"
        } else {
            "PutRecords"
        }
    }

    /// Bytes of data in one request.
    pub fn data_bytes(&self) -> usize {
        self.records * self.record_bytes
    }

    /// `variants` bodies of equal length, each with data and partition keys of its own.
    pub fn bodies(&self, stream: &str, variants: usize) -> Vec<Vec<u8>> {
        (0..variants)
            .map(|variant| self.body(stream, &mut Random::new(variant as u64)))
            .collect()
    }

    fn body(&self, stream: &str, random: &mut Random) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.codec, self.data_bytes() * 2);
        if self.single {
            out.structure(3);
        } else {
            out.structure(2);
            out.member("Records");
            out.list(self.records);
            for _ in 0..self.records {
                out.element();
                out.structure(2);
                self.record(&mut out, random);
                out.end_structure();
            }
            out.end_list();
        }
        out.member("StreamName");
        out.text(stream);
        if self.single {
            self.record(&mut out, random);
        }
        out.end_structure();
        out.take()
    }

    fn record(&self, out: &mut Writer, random: &mut Random) {
        out.member("Data");
        out.blob(&random.bytes(self.record_bytes));
        out.member("PartitionKey");
        out.text(&format!("key-{:016x}", random.number()));
    }
}

/// An answer such as the service gives to a batch, with made-up places.
pub fn canned_answer(batch: &Batch) -> Vec<u8> {
    const PLACE: &str = r#""ShardId":"shardId-000000000000","SequenceNumber":"170141183460469231731687303715884105728""#;
    if batch.single {
        return format!("{{{PLACE}}}").into_bytes();
    }
    let places = vec![format!("{{{PLACE}}}"); batch.records].join(",");
    format!(r#"{{"FailedRecordCount":0,"Records":[{places}]}}"#).into_bytes()
}

/// An answer of GetRecords with so many records of so many bytes.
pub fn canned_records(records: usize, record_bytes: usize, next: &str) -> Vec<u8> {
    const PLACE: &str = r#""SequenceNumber":"49590338271490256608559692538361571095921575989136588898","ApproximateArrivalTimestamp":1764399600.123"#;
    let data = STANDARD.encode_to_string(Random::new(6).bytes(record_bytes));
    let record = format!(r#"{{{PLACE},"Data":"{data}","PartitionKey":"key-0123456789abcdef"}}"#);
    let records = vec![record; records].join(",");
    let text =
        format!(r#"{{"MillisBehindLatest":0,"NextShardIterator":"{next}","Records":[{records}]}}"#);
    text.into_bytes()
}

fn hmac(key: &[u8], data: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key)?;
    hmac.update(data);
    Ok(hmac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Year, month and day of a day since 1970-01-01, by Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>): years that begin in March put the
/// leap day last.
fn civil(day: u64) -> (u64, u64, u64) {
    let from_march_0000 = day + 719_468;
    let era = from_march_0000 / 146_097;
    let day_of_era = from_march_0000 % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (
        year_of_era + era * 400 + u64::from(month <= 2),
        month,
        day_of_month,
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde::Deserialize;
    use types::{AccountId, Caller, Region};
    use wire::Call;
    use wire::members::{Blob, List, Structure};
    use wire::shape::{Check, Shape};

    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Many<'a> {
        #[serde(borrow)]
        records: Option<List<Structure<One<'a>>>>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct One<'a> {
        #[serde(borrow)]
        data: Option<Blob<'a>>,
    }

    impl Shape for Many<'_> {
        fn check(&self, _: &mut Check) {}
    }

    #[test]
    fn days_have_the_dates_of_the_calendar() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(19_783), (2024, 3, 1));
        assert_eq!(civil(20_453), (2025, 12, 31));
    }

    #[test]
    fn bodies_of_one_batch_are_equally_long_and_differ() {
        for batch in [Batch::ONE, Batch::SMALL, Batch::LARGE_CBOR] {
            let bodies = batch.bodies("s", 3);
            assert!(bodies.iter().all(|body| body.len() == bodies[0].len()));
            assert_ne!(bodies[0], bodies[1]);
        }
    }

    #[test]
    fn the_records_of_a_batch_are_the_same_in_both_codecs() {
        let data = |batch: Batch| -> Vec<Vec<u8>> {
            let body = batch.body("s", &mut Random::new(1));
            let call = Call {
                caller: Caller {
                    account: AccountId::parse(ACCOUNT).unwrap(),
                    region: Region::parse(REGION).unwrap(),
                }
                .into(),
                codec: batch.codec,
                body: Bytes::from(body),
            };
            let input: Many<'_> = call.parse().unwrap();
            let records = input.records.unwrap().into_members().into_iter();
            records
                .map(|record| {
                    let mut data = Vec::new();
                    record
                        .data
                        .as_ref()
                        .unwrap()
                        .decode_onto(&mut data)
                        .unwrap();
                    data
                })
                .collect()
        };
        let of_json = data(Batch::LARGE);
        assert_eq!(of_json.len(), 500);
        assert_eq!(of_json, data(Batch::LARGE_CBOR));
    }
}
