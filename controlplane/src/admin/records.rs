//! Records between the store and dnsplanectl.

use super::given;
use crate::{
    record::{Record, Time},
    store::{NewRecord, Selection},
};
use dnsplane_proto::pb::admin as pb;

impl From<pb::RecordEdit> for NewRecord {
    fn from(wire: pb::RecordEdit) -> Self {
        Self { id: given(wire.id), name: wire.name, kind: wire.r#type, value: wire.value, ttl: wire.ttl }
    }
}

impl From<pb::Selection> for Selection {
    fn from(wire: pb::Selection) -> Self {
        let pb::Selection { id, name, r#type, value, all } = wire;
        Self { id: given(id), name: given(name), kind: given(r#type), value: given(value), all }
    }
}

impl From<&Record> for pb::Record {
    fn from(record: &Record) -> Self {
        let details = record.details();
        let time = |time: &Option<Time>| time.as_ref().map(ToString::to_string).unwrap_or_default();
        Self {
            id: details.id.as_deref().unwrap_or_default().to_owned(),
            name: record.name().to_owned(),
            r#type: record.type_text().into_owned(),
            value: record.value().to_owned(),
            ttl: record.ttl,
            mac: details.mac.as_deref().unwrap_or_default().to_owned(),
            added_on: time(&details.added_on),
            updated_on: time(&details.updated_on),
        }
    }
}
