//! Which name led this client to this address.
