//! The answers to what a guest asks of `secrets`.

use crate::bindings::secrets;
use crate::effect_access::Told;
use crate::effects::EffectsUnavailable;
use crate::grant_book::Asked;
use crate::state::State;

impl secrets::Host for State {
    fn get(&mut self, name: String) -> Told<Vec<u8>> {
        self.host_call()?;
        match self.secret(&name) {
            Asked::Value(secret) => Ok(Ok(secret.bytes().to_vec())),
            Asked::Refused(why) => Ok(Err(why)),
            Asked::Unread(why) => Err(EffectsUnavailable(why).into()),
        }
    }
}
