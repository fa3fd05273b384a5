//! The one table of operations. A new operation is one line here and one file in its service.

mod analytics;
mod streams;

use std::pin::Pin;
use std::sync::Arc;

use ::analytics::Analytics;
use ::streams::Streams;
use consumers::Consumers;
use delivery::Delivery;
use tables::Tables;
use types::limits::{PUT_RECORD_BATCH_COUNT_MAX, PUT_RECORDS_COUNT_MAX};
use wire::{Action, Answer, ApiError, Call, Codec, Decided};

use crate::cloudwatch::{self, CustomMetrics};

type Handled<'a> = Pin<Box<dyn Future<Output = Result<Answer, ApiError>> + Send + 'a>>;

/// What operations work on.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) streams: Arc<Streams>,
    pub(crate) delivery: Arc<Delivery>,
    pub(crate) consumers: Arc<Consumers>,
    pub(crate) analytics: Arc<Analytics>,
    pub(crate) tables: Arc<Tables>,
    pub(crate) cloudwatch: Arc<CustomMetrics>,
}

/// What `X-Amz-Target` can name.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    /// What `X-Amz-Target` says before the dot: the service and its version.
    prefix: &'static str,
    /// What `X-Amz-Target` says after the dot.
    name: &'static str,
    /// The service that requests are signed for.
    pub(crate) service: &'static str,
    /// What policies call the service.
    policy_service: &'static str,
    /// Its body may come compressed.
    pub(crate) takes_gzip: bool,
    /// Bytes of its body at most, within what any request may have.
    pub(crate) body_bytes_max: usize,
    /// How requests may be written.
    codecs: &'static [Codec],
    /// It may read megabytes into memory before its answer can be charged for them.
    pub(crate) reads_much: bool,
    /// It is about the account as a whole, so that the router asks whether it may be done. Any
    /// other operation finds out what it is about, and asks before it looks.
    pub(crate) is_of_account: bool,
    answer: AnswerKind,
    handle: Handle,
}

/// What is known of an operation's answer before it is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AnswerKind {
    /// It tells what is kept. A client that does not get it can ask again.
    Told,
    /// It says in a few bytes that something was made durable.
    Done,
    /// It says so of each of many records.
    DoneForEach,
}

/// The fewest bytes that a record takes in a request for many: in CBOR a map of one member, `Data`,
/// which is empty. In JSON it is `{"Data":""},`.
const RECORD_BYTES_MIN: usize = 7;
/// Records of a request at most; one with more is refused.
const RECORDS_MAX: usize = PUT_RECORDS_COUNT_MAX;
const _: () = assert!(PUT_RECORD_BATCH_COUNT_MAX <= RECORDS_MAX);
/// The most bytes that an answer has for one record: that it is over its rate, with the names of
/// its shard, its stream and its account.
const SAID_OF_EACH_BYTES_MAX: usize = 512;

/// Bytes of a request about tables: an item of 400 KB whose every byte is written with an escape,
/// and as much again of values in a condition. A larger one is refused with status 413. AWS takes
/// 16 MB, for batches.
const TABLE_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a request with metrics, before it is decompressed
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>).
const METRIC_BODY_BYTES_MAX: usize = 1024 * 1024;

#[derive(Clone, Copy)]
enum Handle {
    Streams(fn(&Streams, Call) -> Handled<'_>),
    /// Its answer goes on after it is given.
    Events(fn(&Arc<Streams>, Call) -> Handled<'_>),
    Analytics(fn(&Analytics, Call) -> Handled<'_>),
    Delivery(fn(&Delivery, Call) -> Handled<'_>),
    Tables(fn(&Tables, Call) -> Handled<'_>),
    CloudWatch(fn(&CustomMetrics, Call) -> Handled<'_>),
}

impl Operation {
    /// The name, without the service's.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// What metrics call its service: two versions of one have operations of the same names, and
    /// boto3 calls them apart.
    pub(crate) fn measured_as(&self) -> &'static str {
        if self.prefix == analytics::PREFIX_2 {
            "kinesisanalyticsv2"
        } else {
            self.service
        }
    }

    /// Whether a request for it may be written so.
    pub(crate) fn speaks(&self, codec: Codec) -> bool {
        self.codecs.contains(&codec)
    }

    /// What policies call it.
    pub(crate) fn action(&self) -> Action {
        Action {
            service: self.policy_service,
            operation: self.name,
        }
    }

    const fn of_account(self) -> Self {
        Self {
            is_of_account: true,
            ..self
        }
    }

    const fn telling(self) -> Self {
        Self {
            answer: AnswerKind::Told,
            ..self
        }
    }

    const fn reading_much(self) -> Self {
        Self {
            reads_much: true,
            ..self.telling()
        }
    }

    const fn for_each(self) -> Self {
        Self {
            answer: AnswerKind::DoneForEach,
            ..self
        }
    }

    /// Whether its answer is a stream of events.
    pub(crate) fn streams(&self) -> bool {
        matches!(self.handle, Handle::Events(_))
    }

    /// Whether its answer may say that something is durable. Such an answer must be sent.
    pub(crate) fn makes_durable(&self) -> bool {
        self.answer != AnswerKind::Told
    }

    /// The most bytes that the answer to a body of `body_bytes` may have, if the answer must be
    /// sent; 0 if it is short or can be refused for want of room.
    pub(crate) fn answer_bytes_max(&self, body_bytes: usize) -> usize {
        match self.answer {
            AnswerKind::Told | AnswerKind::Done => 0,
            AnswerKind::DoneForEach => {
                RECORDS_MAX.min(body_bytes / RECORD_BYTES_MIN) * SAID_OF_EACH_BYTES_MAX
            }
        }
    }

    /// Carries it out.
    ///
    /// # Errors
    /// What it is refused with. InternalFailure: it was done without asking whether it may be.
    pub(crate) async fn handle(&self, services: &Services, call: Call) -> Result<Answer, ApiError> {
        let decided = call.caller.decided();
        let handled = match self.handle {
            Handle::Streams(handle) => handle(&services.streams, call),
            Handle::Events(handle) => handle(&services.streams, call),
            Handle::Analytics(handle) => handle(&services.analytics, call),
            Handle::Delivery(handle) => handle(&services.delivery, call),
            Handle::Tables(handle) => handle(&services.tables, call),
            Handle::CloudWatch(handle) => handle(&services.cloudwatch, call),
        };
        answer_if_decided(handled, &decided).await
    }
}

/// The answer of an operation, which has asked by then whether it may be given.
async fn answer_if_decided(handled: Handled<'_>, decided: &Decided) -> Result<Answer, ApiError> {
    let answer = handled.await?;
    if decided.is_so() {
        Ok(answer)
    } else {
        Err(ApiError::internal(
            "an operation asked nobody whether it may be done",
        ))
    }
}

/// How many operations there are.
const COUNT: usize = BEFORE.len()
    + analytics::VERSION_1.len()
    + analytics::VERSION_2.len()
    + streams::OPERATIONS.len();

/// Sorted by prefix and name.
pub(crate) static OPERATIONS: [Operation; COUNT] = joined([
    &BEFORE,
    &analytics::VERSION_1,
    &analytics::VERSION_2,
    &streams::OPERATIONS,
]);

/// All operations of some lists, in this order.
const fn joined(lists: [&[Operation]; 4]) -> [Operation; COUNT] {
    let mut all = [BEFORE[0]; COUNT];
    let (mut list, mut at) = (0, 0);
    while list < lists.len() {
        let mut of_list = 0;
        while of_list < lists[list].len() {
            all[at] = lists[list][of_list];
            at += 1;
            of_list += 1;
        }
        list += 1;
    }
    all
}

/// Those of services whose names come before Kinesis's.
const BEFORE: [Operation; 24] = [
    dynamodb("CreateTable", |t, c| {
        Box::pin(tables::ops::create_table::handle(t, c))
    }),
    dynamodb("DeleteItem", |t, c| {
        Box::pin(tables::ops::delete_item::handle(t, c))
    }),
    dynamodb("DeleteTable", |t, c| {
        Box::pin(tables::ops::delete_table::handle(t, c))
    }),
    dynamodb("DescribeTable", |t, c| {
        Box::pin(tables::ops::describe_table::handle(t, c))
    })
    .reading_much(),
    dynamodb("GetItem", |t, c| {
        Box::pin(tables::ops::get_item::handle(t, c))
    })
    .telling(),
    dynamodb("ListTables", |t, c| {
        Box::pin(tables::ops::list_tables::handle(t, c))
    })
    .telling()
    .of_account(),
    dynamodb("PutItem", |t, c| {
        Box::pin(tables::ops::put_item::handle(t, c))
    }),
    dynamodb("Query", |t, c| Box::pin(tables::ops::query::handle(t, c))).reading_much(),
    dynamodb("Scan", |t, c| Box::pin(tables::ops::scan::handle(t, c))).reading_much(),
    dynamodb("UpdateItem", |t, c| {
        Box::pin(tables::ops::update_item::handle(t, c))
    }),
    dynamodb("UpdateTable", |t, c| {
        Box::pin(tables::ops::update_table::handle(t, c))
    }),
    firehose("CreateDeliveryStream", |s, c| {
        Box::pin(delivery::ops::create_delivery_stream::handle(s, c))
    }),
    firehose("DeleteDeliveryStream", |s, c| {
        Box::pin(delivery::ops::delete_delivery_stream::handle(s, c))
    }),
    firehose("DescribeDeliveryStream", |s, c| {
        Box::pin(delivery::ops::describe_delivery_stream::handle(s, c))
    })
    .telling(),
    firehose("ListDeliveryStreams", |s, c| {
        Box::pin(delivery::ops::list_delivery_streams::handle(s, c))
    })
    .telling()
    .of_account(),
    firehose("ListTagsForDeliveryStream", |s, c| {
        Box::pin(delivery::ops::list_tags_for_delivery_stream::handle(s, c))
    })
    .telling(),
    firehose("PutRecord", |s, c| {
        Box::pin(delivery::ops::put_record::handle(s, c))
    }),
    firehose("PutRecordBatch", |s, c| {
        Box::pin(delivery::ops::put_record_batch::handle(s, c))
    })
    .for_each(),
    firehose("StartDeliveryStreamEncryption", |s, c| {
        Box::pin(delivery::ops::start_delivery_stream_encryption::handle(
            s, c,
        ))
    }),
    firehose("StopDeliveryStreamEncryption", |s, c| {
        Box::pin(delivery::ops::stop_delivery_stream_encryption::handle(s, c))
    }),
    firehose("TagDeliveryStream", |s, c| {
        Box::pin(delivery::ops::tag_delivery_stream::handle(s, c))
    }),
    firehose("UntagDeliveryStream", |s, c| {
        Box::pin(delivery::ops::untag_delivery_stream::handle(s, c))
    }),
    firehose("UpdateDestination", |s, c| {
        Box::pin(delivery::ops::update_destination::handle(s, c))
    }),
    Operation {
        prefix: "GraniteServiceVersion20100801",
        name: "PutMetricData",
        service: "monitoring",
        policy_service: "cloudwatch",
        takes_gzip: true,
        body_bytes_max: METRIC_BODY_BYTES_MAX,
        codecs: &[Codec::Json10, Codec::RpcV2Cbor],
        reads_much: false,
        is_of_account: true,
        answer: AnswerKind::Told,
        handle: Handle::CloudWatch(|m, c| Box::pin(cloudwatch::put_metric_data(m, c))),
    },
];

const fn dynamodb(name: &'static str, handle: fn(&Tables, Call) -> Handled<'_>) -> Operation {
    Operation {
        prefix: "DynamoDB_20120810",
        name,
        service: "dynamodb",
        policy_service: "dynamodb",
        takes_gzip: false,
        body_bytes_max: TABLE_BODY_BYTES_MAX,
        codecs: &[Codec::Json10],
        reads_much: false,
        is_of_account: false,
        answer: AnswerKind::Done,
        handle: Handle::Tables(handle),
    }
}

const fn firehose(name: &'static str, handle: fn(&Delivery, Call) -> Handled<'_>) -> Operation {
    Operation {
        prefix: "Firehose_20150804",
        name,
        service: "firehose",
        policy_service: "firehose",
        takes_gzip: false,
        body_bytes_max: usize::MAX,
        // As at AWS: no client of it speaks anything else.
        codecs: &[Codec::Json],
        reads_much: false,
        is_of_account: false,
        answer: AnswerKind::Done,
        handle: Handle::Delivery(handle),
    }
}

/// What policies call the operations that there are.
pub fn actions() -> impl Iterator<Item = Action> {
    OPERATIONS.iter().map(Operation::action)
}

/// The place in [`OPERATIONS`] of what `target` names; `None`: it names no operation.
pub(crate) fn lookup(target: &str) -> Option<usize> {
    let wanted = target.split_once('.')?;
    OPERATIONS
        .binary_search_by(|operation| (operation.prefix, operation.name).cmp(&wanted))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{AccountId, Caller, Region};
    use wire::{Requester, Target};

    /// An operation that was forgotten to ask would be open to everybody.
    #[tokio::test]
    async fn what_an_operation_answers_without_having_asked_is_given_to_nobody() {
        let requester = Requester::from(Caller {
            account: AccountId::parse("000000000000").unwrap(),
            region: Region::parse("eu-central-1").unwrap(),
        });
        let decided = requester.decided();
        let answers = || -> Handled<'static> { Box::pin(async { Ok(Answer::empty()) }) };
        let refuses = || -> Handled<'static> { Box::pin(async { Err(ApiError::validation("x")) }) };
        let refusal = answer_if_decided(answers(), &decided).await.unwrap_err();
        assert_eq!((refusal.code(), refusal.status()), ("InternalFailure", 500));
        // What it refuses may be refused before anybody is asked.
        let refusal = answer_if_decided(refuses(), &decided).await.unwrap_err();
        assert_eq!(refusal.code(), "ValidationException");
        let asks = async {
            requester.permit(&Target::account(requester.account))?;
            Ok(Answer::empty())
        };
        assert!(answer_if_decided(Box::pin(asks), &decided).await.is_ok());
    }

    #[test]
    fn an_answer_is_expected_for_each_of_the_shortest_records() {
        let place = lookup("Kinesis_20131202.PutRecords").unwrap();
        for shortest in [&br#"{"Data":""},"#[..], b"\xa1\x64Data\x40"] {
            let bytes = OPERATIONS[place].answer_bytes_max(shortest.len() * RECORDS_MAX);
            assert_eq!(bytes, RECORDS_MAX * SAID_OF_EACH_BYTES_MAX);
        }
    }

    #[test]
    fn every_operation_is_found_by_its_target_and_nothing_else_is() {
        assert!(OPERATIONS.is_sorted_by(|a, b| (a.prefix, a.name) < (b.prefix, b.name)));
        for (place, operation) in OPERATIONS.iter().enumerate() {
            let target = format!("{}.{}", operation.prefix, operation.name);
            assert_eq!(lookup(&target), Some(place));
            assert_eq!(lookup(operation.name()), None);
        }
        for unknown in [
            "",
            "Kinesis_20131202",
            "Kinesis_20131202.",
            "Kinesis_20131202.putRecord",
            "Kinesis_20131202.PutRecordBatch",
            "Kinesis_20131202.Put.Record",
            "Firehose_20150804.PutRecords",
            "X.PutRecord",
        ] {
            assert_eq!(lookup(unknown), None, "{unknown}");
        }
    }
}
