//! The host's side of devices, by the ids that the specification gives them.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{BackendKind, BackendSpec, CharKind};
use devices::disk::{Image, OpenOptions, RawImage};
use devices::host::char::{CharBackend, CharSpec};
use devices::host::nat::{HostFwd, Nat, NatConfig};
use devices::host::tap::Tap;
use devices::virtio::net::NetBackend;

use crate::error::Error;

/// Back ends that no device has taken yet.
pub(crate) struct Backends<'a> {
    left: BTreeMap<&'a str, &'a BackendKind>,
}

impl<'a> Backends<'a> {
    pub(crate) fn new(specs: &'a [BackendSpec]) -> Result<Self, Error> {
        let mut left = BTreeMap::new();
        for spec in specs {
            if left.insert(spec.id.as_str(), &spec.kind).is_some() {
                let id = &spec.id;
                return Err(Error::Spec(format!("two back ends are called `{id}`; rename one")));
            }
        }
        Ok(Self { left })
    }

    fn take(&mut self, id: &str) -> Result<&'a BackendKind, Error> {
        self.left.remove(id).ok_or_else(|| {
            Error::Spec(format!("there is no back end `{id}`, or another device has it"))
        })
    }

    /// A disk's image.
    pub(crate) fn disk(&mut self, id: &str) -> Result<Arc<dyn Image>, Error> {
        match self.take(id)? {
            BackendKind::Disk { path, readonly } => {
                Ok(Arc::new(RawImage::open(path, OpenOptions { readonly: *readonly })?))
            }
            _ => Err(wrong(id, "a disk image")),
        }
    }

    /// A network card's wire, and what tells it from others on this host.
    pub(crate) fn net(
        &mut self,
        id: &str,
    ) -> Result<(Box<dyn NetBackend>, Option<&'a str>), Error> {
        match self.take(id)? {
            BackendKind::Nat { hostfwd } => {
                let hostfwd =
                    hostfwd.iter().map(|text| text.parse()).collect::<Result<Vec<HostFwd>, _>>()?;
                let nat = Nat::new(NatConfig { hostfwd, ..NatConfig::default() })?;
                Ok((Box::new(nat), None))
            }
            BackendKind::Tap { name } => Ok((Box::new(Tap::open(name)?), Some(name))),
            _ => Err(wrong(id, "a network")),
        }
    }

    /// A character back end; one that leads nowhere if there is no id.
    pub(crate) fn char(&mut self, id: Option<&str>) -> Result<CharBackend, Error> {
        let spec = match id.map(|id| (id, self.take(id))) {
            None => CharSpec::None,
            Some((_, Err(error))) => return Err(error),
            Some((_, Ok(BackendKind::Char { to }))) => match to {
                CharKind::Stdio => CharSpec::Stdio,
                CharKind::File(path) => CharSpec::File(path.clone()),
                CharKind::Pty => CharSpec::Pty,
                CharKind::None => CharSpec::None,
            },
            Some((id, Ok(_))) => return Err(wrong(id, "a character back end")),
        };
        Ok(spec.open()?)
    }

    /// Everything was taken.
    pub(crate) fn check_all_taken(&self) -> Result<(), Error> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(id) => Err(Error::Spec(format!("no device uses the back end `{id}`"))),
        }
    }
}

fn wrong(id: &str, wanted: &str) -> Error {
    Error::Spec(format!("the back end `{id}` is not {wanted}"))
}
