//! CPU models as users name them: `MODEL[,+FEATURE|,-FEATURE]...`.

/// A model that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// No such model.
    #[error("there is no CPU model '{name}' for {isa}; the models are {models}")]
    Model {
        /// What was asked for.
        name: String,
        /// The guest's architecture.
        isa: &'static str,
        /// What there is.
        models: String,
    },
    /// The architecture's models cannot be changed.
    #[error("CPUs of {isa} guests cannot be changed by '{change}'; write --cpu {model}")]
    Fixed {
        /// What was asked for.
        change: String,
        /// The guest's architecture.
        isa: &'static str,
        /// Its one model.
        model: &'static str,
    },
    /// No such feature.
    #[error(
        "there is no CPU feature '{0}' for x86_64; features are named as in Linux's /proc/cpuinfo, \
         for instance avx2, and --cpu help lists them"
    )]
    Feature(String),
    /// Something else than `+feature`, `-feature` or `tsc-khz=N`.
    #[error("'{0}' is no change to a CPU model; write +feature, -feature or tsc-khz=NUMBER")]
    Change(String),
}

/// Checks what the user says, if anything, for an architecture that has one model alone.
///
/// # Errors
/// It is another model, or changes this one.
pub fn only(model: &'static str, asked: Option<&str>, isa: &'static str) -> Result<(), ModelError> {
    let Some(asked) = asked else { return Ok(()) };
    match asked.split_once(',') {
        None if asked == model => Ok(()),
        Some((name, change)) if name == model => {
            Err(ModelError::Fixed { change: change.into(), isa, model })
        }
        _ => Err(ModelError::Model { name: asked.into(), isa, models: model.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_model_alone() {
        assert_eq!(only("max", None, "riscv64"), Ok(()));
        assert_eq!(only("max", Some("max"), "riscv64"), Ok(()));
        for (asked, says) in [
            ("rocket", "'rocket' for riscv64; the models are max"),
            ("max,-zba", "'-zba'; write --cpu max"),
            ("", "the models are max"),
        ] {
            let error = only("max", Some(asked), "riscv64").unwrap_err().to_string();
            assert!(error.contains(says), "{asked}: {error}");
        }
    }
}
