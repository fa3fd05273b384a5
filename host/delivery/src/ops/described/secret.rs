//! What DescribeDeliveryStream tells of a secret: which one it is, and never what it holds.

use serde::Serialize;

use crate::delivery_stream::Destination;

#[derive(Serialize)]
pub(super) struct SecretDescription {
    #[serde(rename = "SecretARN", skip_serializing_if = "Option::is_none")]
    secret_arn: Option<String>,
    #[serde(rename = "RoleARN", skip_serializing_if = "Option::is_none")]
    role_arn: Option<String>,
    #[serde(rename = "Enabled")]
    is_enabled: bool,
}

impl SecretDescription {
    /// The description of the one that a destination names, if it ever named one.
    pub(super) fn of(destination: &Destination) -> Option<Self> {
        let secret = destination.secret.clone()?;
        Some(Self {
            secret_arn: secret.arn,
            role_arn: secret.role_arn,
            is_enabled: secret.is_enabled,
        })
    }
}
