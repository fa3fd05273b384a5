//! What a stream retains, delivered once more by a delivery stream that reads it.
//!
//! | request, below `/_millrace/delivery-streams/NAME/` | answer |
//! |---|---|
//! | `POST redeliver` | of `{"id", "from", "to", "prefix", "errorPrefix", "version"}`: how it is |
//! | `GET redeliveries` | `{"redeliveries": [...]}`: how all orders are that are kept |
//! | `POST redeliveries/cancel` | of `{"id"}`: how it is |
//!
//! `from` is `TRIM_HORIZON`, milliseconds since 1970 or a sequence number, in quotes; `to` is one
//! of the latter. Only `from` and `prefix` must be there. Without an `id` an order goes by its
//! prefix.

use std::borrow::Cow;

use delivery::{Delivery, RedeliveryOrder, RedeliveryStatus};
use serde::{Deserialize, Serialize};
use types::Caller;
use wire::{Answer, ApiError, json};

use super::api::no_delivery_stream;
use super::apps;

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) enum What {
    Order,
    List,
    Cancel,
}

impl What {
    /// What policies call it.
    pub(super) fn operation(self) -> &'static str {
        match self {
            Self::Order => "Redeliver",
            Self::List => "ListRedeliveries",
            Self::Cancel => "CancelRedelivery",
        }
    }

    pub(super) fn methods(self) -> &'static str {
        match self {
            Self::List => "GET, HEAD",
            Self::Order | Self::Cancel => "POST",
        }
    }

    /// Does it to a delivery stream.
    pub(super) async fn answer(
        self,
        delivery: &Delivery,
        caller: &Caller,
        (name, body): (&str, &[u8]),
    ) -> Result<Answer, ApiError> {
        let status = match self {
            Self::List => {
                let redeliveries = delivery.redeliveries(caller, name);
                let redeliveries = redeliveries.ok_or_else(|| no_delivery_stream(name))?;
                return json::answer(&List { redeliveries });
            }
            Self::Order => {
                let ordered = apps::parse::<Ordered<'_>>(body)?;
                delivery.redeliver(caller, name, ordered.order()).await?
            }
            Self::Cancel => {
                let Named { id } = apps::parse::<Named<'_>>(body)?;
                delivery.cancel_redelivery(caller, name, &id).await?
            }
        };
        json::answer(&status)
    }
}

#[derive(Serialize)]
struct List {
    redeliveries: Vec<RedeliveryStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Ordered<'a> {
    #[serde(default, borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Cow<'a, str>,
    #[serde(default, borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    prefix: Cow<'a, str>,
    #[serde(default, borrow)]
    error_prefix: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    version: Option<Cow<'a, str>>,
}

impl Ordered<'_> {
    fn order(&self) -> RedeliveryOrder<'_> {
        RedeliveryOrder {
            id: self.id.as_deref(),
            from: &self.from,
            to: self.to.as_deref(),
            prefix: &self.prefix,
            error_prefix: self.error_prefix.as_deref(),
            version: self.version.as_deref(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}
