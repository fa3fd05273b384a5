//! The operations of Kinesis Data Analytics, in both versions of its model, sorted by name.

use analytics::Analytics;
use analytics::ops::model::{V1, V2};
use analytics::ops::*;
use wire::{Call, Codec};

use super::{AnswerKind, Handle, Handled, Operation};

/// What `X-Amz-Target` says before the dot in version 1.
const PREFIX_1: &str = "KinesisAnalytics_20150814";
/// The same in version 2.
pub(super) const PREFIX_2: &str = "KinesisAnalytics_20180523";

/// Bytes of a request: a program of 100 KiB whose every byte is written with an escape, and a
/// schema that is as large as a configuration may be. A larger one is refused with status 413.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Those of `KinesisAnalytics_20150814`.
pub(super) const VERSION_1: [Operation; 20] = [
    version_1("AddApplicationCloudWatchLoggingOption", |a, c| {
        Box::pin(add_application_cloud_watch_logging_option::handle::<V1>(
            a, c,
        ))
    }),
    version_1("AddApplicationInput", |a, c| {
        Box::pin(add_application_input::handle::<V1>(a, c))
    }),
    version_1("AddApplicationInputProcessingConfiguration", |a, c| {
        Box::pin(add_application_input_processing_configuration::handle::<V1>(a, c))
    }),
    version_1("AddApplicationOutput", |a, c| {
        Box::pin(add_application_output::handle::<V1>(a, c))
    }),
    version_1("AddApplicationReferenceDataSource", |a, c| {
        Box::pin(add_application_reference_data_source::handle::<V1>(a, c))
    }),
    version_1("CreateApplication", |a, c| {
        Box::pin(create_application::handle::<V1>(a, c))
    }),
    version_1("DeleteApplication", |a, c| {
        Box::pin(delete_application::handle::<V1>(a, c))
    }),
    version_1("DeleteApplicationCloudWatchLoggingOption", |a, c| {
        Box::pin(delete_application_cloud_watch_logging_option::handle::<V1>(
            a, c,
        ))
    }),
    version_1("DeleteApplicationInputProcessingConfiguration", |a, c| {
        Box::pin(delete_application_input_processing_configuration::handle::<
            V1,
        >(a, c))
    }),
    version_1("DeleteApplicationOutput", |a, c| {
        Box::pin(delete_application_output::handle::<V1>(a, c))
    }),
    version_1("DeleteApplicationReferenceDataSource", |a, c| {
        Box::pin(delete_application_reference_data_source::handle::<V1>(a, c))
    }),
    version_1("DescribeApplication", |a, c| {
        Box::pin(describe_application::handle::<V1>(a, c))
    })
    .telling(),
    version_1("DiscoverInputSchema", |a, c| {
        Box::pin(discover_input_schema::handle::<V1>(a, c))
    })
    .reading_much()
    .of_account(),
    version_1("ListApplications", |a, c| {
        Box::pin(list_applications::handle::<V1>(a, c))
    })
    .telling()
    .of_account(),
    version_1("ListTagsForResource", |a, c| {
        Box::pin(list_tags_for_resource::handle::<V1>(a, c))
    })
    .telling(),
    version_1("StartApplication", |a, c| {
        Box::pin(start_application::handle::<V1>(a, c))
    }),
    version_1("StopApplication", |a, c| {
        Box::pin(stop_application::handle::<V1>(a, c))
    }),
    version_1("TagResource", |a, c| {
        Box::pin(tag_resource::handle::<V1>(a, c))
    }),
    version_1("UntagResource", |a, c| {
        Box::pin(untag_resource::handle::<V1>(a, c))
    }),
    version_1("UpdateApplication", |a, c| {
        Box::pin(update_application::handle::<V1>(a, c))
    }),
];

/// Those of `KinesisAnalytics_20180523`.
pub(super) const VERSION_2: [Operation; 41] = [
    version_2("AddApplicationCloudWatchLoggingOption", |a, c| {
        Box::pin(add_application_cloud_watch_logging_option::handle::<V2>(
            a, c,
        ))
    }),
    version_2("AddApplicationInput", |a, c| {
        Box::pin(add_application_input::handle::<V2>(a, c))
    }),
    version_2("AddApplicationInputProcessingConfiguration", |a, c| {
        Box::pin(add_application_input_processing_configuration::handle::<V2>(a, c))
    }),
    version_2("AddApplicationOutput", |a, c| {
        Box::pin(add_application_output::handle::<V2>(a, c))
    }),
    version_2("AddApplicationReferenceDataSource", |a, c| {
        Box::pin(add_application_reference_data_source::handle::<V2>(a, c))
    }),
    refused("AddApplicationVpcConfiguration", |a, c| {
        Box::pin(async move { flink_only::refuse(a, &c, "AddApplicationVpcConfiguration") })
    }),
    version_2("CreateApplication", |a, c| {
        Box::pin(create_application::handle::<V2>(a, c))
    }),
    refused("CreateApplicationPresignedUrl", |a, c| {
        Box::pin(async move { flink_only::refuse(a, &c, "CreateApplicationPresignedUrl") })
    }),
    version_2("CreateApplicationSnapshot", |a, c| {
        Box::pin(create_application_snapshot::handle(a, c))
    }),
    refused("CreateSnapshot", |a, c| {
        Box::pin(async move { flink_only::refuse(a, &c, "CreateSnapshot") })
    }),
    version_2("DeleteApplication", |a, c| {
        Box::pin(delete_application::handle::<V2>(a, c))
    }),
    version_2("DeleteApplicationCloudWatchLoggingOption", |a, c| {
        Box::pin(delete_application_cloud_watch_logging_option::handle::<V2>(
            a, c,
        ))
    }),
    version_2("DeleteApplicationInputProcessingConfiguration", |a, c| {
        Box::pin(delete_application_input_processing_configuration::handle::<
            V2,
        >(a, c))
    }),
    version_2("DeleteApplicationOutput", |a, c| {
        Box::pin(delete_application_output::handle::<V2>(a, c))
    }),
    version_2("DeleteApplicationReferenceDataSource", |a, c| {
        Box::pin(delete_application_reference_data_source::handle::<V2>(a, c))
    }),
    version_2("DeleteApplicationSnapshot", |a, c| {
        Box::pin(delete_application_snapshot::handle(a, c))
    }),
    refused("DeleteApplicationVpcConfiguration", |a, c| {
        Box::pin(async move { flink_only::refuse(a, &c, "DeleteApplicationVpcConfiguration") })
    }),
    refused("DeleteSnapshot", |a, c| {
        Box::pin(async move { flink_only::refuse(a, &c, "DeleteSnapshot") })
    }),
    version_2("DescribeApplication", |a, c| {
        Box::pin(describe_application::handle::<V2>(a, c))
    })
    .telling(),
    version_2("DescribeApplicationOperation", |a, c| {
        Box::pin(describe_application_operation::handle(a, c))
    })
    .telling(),
    version_2("DescribeApplicationSnapshot", |a, c| {
        Box::pin(describe_application_snapshot::handle(a, c))
    })
    .telling(),
    version_2("DescribeApplicationVersion", |a, c| {
        Box::pin(describe_application_version::handle(a, c))
    })
    .telling(),
    refused("DescribeSnapshot", |a, c| {
        Box::pin(async move { flink_only::refuse(a, &c, "DescribeSnapshot") })
    }),
    refused("DescribeSnapshotOperation", |a, c| {
        Box::pin(async move { flink_only::refuse(a, &c, "DescribeSnapshotOperation") })
    }),
    version_2("DiscoverInputSchema", |a, c| {
        Box::pin(discover_input_schema::handle::<V2>(a, c))
    })
    .reading_much()
    .of_account(),
    refused("ExportSnapshot", |a, c| {
        Box::pin(async move { flink_only::refuse(a, &c, "ExportSnapshot") })
    }),
    refused("ImportSnapshot", |a, c| {
        Box::pin(async move { flink_only::refuse(a, &c, "ImportSnapshot") })
    }),
    version_2("ListApplicationOperations", |a, c| {
        Box::pin(list_application_operations::handle(a, c))
    })
    .telling(),
    version_2("ListApplicationSnapshots", |a, c| {
        Box::pin(list_application_snapshots::handle(a, c))
    })
    .telling(),
    version_2("ListApplicationVersions", |a, c| {
        Box::pin(list_application_versions::handle(a, c))
    })
    .telling(),
    version_2("ListApplications", |a, c| {
        Box::pin(list_applications::handle::<V2>(a, c))
    })
    .telling()
    .of_account(),
    refused("ListSnapshotOperations", |a, c| {
        Box::pin(async move { flink_only::refuse(a, &c, "ListSnapshotOperations") })
    }),
    refused("ListSnapshots", |a, c| {
        Box::pin(async move { flink_only::refuse(a, &c, "ListSnapshots") })
    }),
    version_2("ListTagsForResource", |a, c| {
        Box::pin(list_tags_for_resource::handle::<V2>(a, c))
    })
    .telling(),
    version_2("RollbackApplication", |a, c| {
        Box::pin(rollback_application::handle(a, c))
    }),
    version_2("StartApplication", |a, c| {
        Box::pin(start_application::handle::<V2>(a, c))
    }),
    version_2("StopApplication", |a, c| {
        Box::pin(stop_application::handle::<V2>(a, c))
    }),
    version_2("TagResource", |a, c| {
        Box::pin(tag_resource::handle::<V2>(a, c))
    }),
    version_2("UntagResource", |a, c| {
        Box::pin(untag_resource::handle::<V2>(a, c))
    }),
    version_2("UpdateApplication", |a, c| {
        Box::pin(update_application::handle::<V2>(a, c))
    }),
    refused("UpdateApplicationMaintenanceConfiguration", |a, c| {
        Box::pin(
            async move { flink_only::refuse(a, &c, "UpdateApplicationMaintenanceConfiguration") },
        )
    }),
];

type Handler = fn(&Analytics, Call) -> Handled<'_>;

const fn version_1(name: &'static str, handle: Handler) -> Operation {
    operation(PREFIX_1, name, handle)
}

const fn version_2(name: &'static str, handle: Handler) -> Operation {
    operation(PREFIX_2, name, handle)
}

/// One that applications of SQL do not have.
const fn refused(name: &'static str, handle: Handler) -> Operation {
    version_2(name, handle).telling()
}

const fn operation(prefix: &'static str, name: &'static str, handle: Handler) -> Operation {
    Operation {
        prefix,
        name,
        service: "kinesisanalytics",
        policy_service: "kinesisanalytics",
        takes_gzip: false,
        body_bytes_max: BODY_BYTES_MAX,
        codecs: &[Codec::Json],
        reads_much: false,
        is_of_account: false,
        answer: AnswerKind::Done,
        handle: Handle::Analytics(handle),
    }
}
