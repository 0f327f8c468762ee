/** Names of those who sign. */

/** Ed25519 public key, 64 lower-case hex digits. */
export type PublicKey = string & { readonly __brand: 'PublicKey' };

/** libp2p's name of an Ed25519 key as text, `12D3KooW…`. */
export type PeerId = string & { readonly __brand: 'PeerId' };

/** 32 lower-case hex digits: the first half of SHA-256 of the authority's public key. */
export type ShareId = string & { readonly __brand: 'ShareId' };

export type Role = 'writer' | 'replica' | 'standby' | 'archive';
