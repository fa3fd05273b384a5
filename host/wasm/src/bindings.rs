//! The Rust side of `wit/`, generated at once for all worlds, so that what they share is the same
//! type. Which interfaces make up which world is in `world`.

mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        inline: "
            package millrace:host;

            world everything {
                import millrace:plugin/context@0.1.0;
                import millrace:plugin/records@0.1.0;
                import millrace:plugin/secrets@0.1.0;
                import millrace:plugin/http@0.1.0;
                import millrace:plugin/checkpoint@0.1.0;
                import millrace:plugin/table@0.1.0;
                import millrace:plugin/emit@0.1.0;
                export millrace:plugin/lifecycle@0.1.0;
                export millrace:plugin/state@0.1.0;
                export millrace:plugin/transform@0.1.0;
                export millrace:plugin/transform-simple@0.1.0;
                export millrace:plugin/record-processor@0.1.0;
                export millrace:plugin/record-processor-simple@0.1.0;
            }
        ",
        imports: { default: trappable },
    });
}

pub(crate) use generated::exports::millrace::plugin::{
    lifecycle, record_processor, record_processor_simple, state, transform, transform_simple,
};
pub(crate) use generated::millrace::plugin::{
    checkpoint, context, emit, http, records, secrets, table, types,
};
