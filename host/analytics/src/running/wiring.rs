//! What an application is configured as, as far as its work goes: what it reads, what it runs, and
//! where rows go.

use std::sync::Arc;

use bytes::Bytes;
use delivery::arn::DeliveryStreamArn;
use sql::input::InputSchema;
use sql::{Program, StreamId, TableId};
use types::StreamArn;

use super::machine::{Machine, Source as InSource, Wire};
use super::outputs::{Output, Target};
use crate::application::{Application, Configuration, Destination};
use crate::program::{compile, input_schema};

/// What an application reads, runs and writes.
pub struct Wiring {
    /// The stream that it reads.
    pub stream: StreamArn,
    /// Where its records go.
    pub outputs: Vec<Output>,
    program: Arc<Program>,
    schema: InputSchema,
    /// The in-application streams that records become rows of.
    sources: Vec<StreamId>,
    wires: Vec<Wire>,
    /// Tables of reference data, in the order of the configuration, and how they are read.
    tables: Vec<(TableId, InputSchema)>,
}

impl Wiring {
    /// What a configuration comes to. Compiles the program.
    ///
    /// # Errors
    /// Why the application cannot work, in words.
    pub fn of(application: &Application) -> Result<Self, String> {
        let configuration = &application.configuration;
        let [input] = &configuration.inputs[..] else {
            let count = configuration.inputs.len();
            return Err(format!("it has {count} inputs, and works with one"));
        };
        if input.processor.is_some() {
            return Err("its input goes through a function, which it cannot yet".to_owned());
        }
        let schema = input_schema(&input.schema);
        let schema = schema.map_err(|invalid| format!("its input: {invalid}"))?;
        let program = compile(configuration).map_err(|invalid| format!("its code: {invalid}"))?;
        let tables = configuration.references.iter().map(|reference| {
            let id = program.table(&reference.table);
            let id = id.ok_or_else(|| format!("its code knows no table {}", reference.table))?;
            let schema = input_schema(&reference.schema);
            let schema = schema.map_err(|invalid| format!("its reference data: {invalid}"))?;
            Ok::<_, String>((id, schema))
        });
        let tables = tables.collect::<Result<_, _>>()?;
        let names = input.in_application_streams();
        let sources = names.map(|name| find(&program, &name));
        let sources = sources.collect::<Result<_, _>>()?;
        let (outputs, wires) = outputs(configuration, &program)?;
        Ok(Self {
            stream: input.stream().map_err(|invalid| invalid.to_string())?,
            outputs,
            program: Arc::new(program),
            schema,
            sources,
            wires,
            tables,
        })
    }

    /// An instance of the program that has seen nothing but its tables, whose objects are given in
    /// the order of the configuration.
    ///
    /// # Errors
    /// Why it cannot work, in words.
    pub fn machine(&self, objects: &[Bytes]) -> Result<Machine, String> {
        let source = InSource {
            schema: &self.schema,
            streams: &self.sources,
        };
        let mut machine = Machine::new(&self.program, &source, self.wires.clone())?;
        for ((table, schema), object) in self.tables.iter().zip(objects) {
            let read = sql::reference::read(schema, object, 0);
            let read = read.map_err(|invalid| format!("its reference data: {invalid}"))?;
            machine.set_table(*table, &read.batches)?;
        }
        Ok(machine)
    }
}

/// Where rows go, and which rows that are.
fn outputs(
    configuration: &Configuration,
    program: &Program,
) -> Result<(Vec<Output>, Vec<Wire>), String> {
    let (mut outputs, mut wires) = (Vec::new(), Vec::new());
    for output in &configuration.outputs {
        let target = match &output.destination {
            Destination::Stream(arn) => {
                let arn = StreamArn::parse(arn).map_err(|invalid| invalid.to_string())?;
                Target::Stream(arn)
            }
            Destination::DeliveryStream(arn) => {
                let arn = DeliveryStreamArn::parse(arn).map_err(|invalid| invalid.to_string())?;
                Target::Delivery(arn)
            }
            Destination::Function(_) => {
                return Err("its rows go to a function, which they cannot yet".to_owned());
            }
        };
        let stream = find(program, &output.name)?;
        wires.push(Wire {
            stream,
            output: outputs.len(),
            format: output.format,
        });
        outputs.push(Output {
            id: output.id.clone(),
            target,
        });
    }
    Ok((outputs, wires))
}

/// The stream of a name, as it was written or in capitals.
fn find(program: &Program, name: &str) -> Result<StreamId, String> {
    let found = program.stream(name);
    let found = found.or_else(|| program.stream(&name.to_uppercase()));
    found.ok_or_else(|| format!("its code makes no stream {name}"))
}
