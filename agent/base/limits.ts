/** Every bound of the program, with its unit and its reason. Nothing here is configuration. */

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** Longest path in a share, bytes of UTF-8: PATH_MAX less the terminating NUL. */
export const pathBytesMax = 4095;
/** Longest name in a path, bytes: what ext4, XFS and btrfs hold. */
export const nameBytesMax = 255;
/** Longest symlink target, bytes: PATH_MAX less the terminating NUL. */
export const linkTargetBytesMax = 4095;

/** Files up to this size are one block, bytes: a request for one costs as much as for a small one. */
export const wholeFileBytesMax = 64 * KIB;
/** Largest block of any class, bytes. */
export const blockBytesMax = 2 * MIB;
/** Most bytes of blocks in one request; a larger block is asked for alone. */
export const requestBytesMax = 1 * MIB;
/** Most digests in one request: a page-walk level in one message, yet bounded before allocation. */
export const requestDigestsMax = 1024;

/** Average number of keys a page ends after: 2^7. */
export const pageKeysAverageBits = 7;
/** Most keys in a page, by rank: bounds decoding; the hash boundary exceeds it once in e^8 pages. */
export const pageKeysMax = 1024;
/** Largest encoded page, bytes: pageKeysMax entries of the longest path would be more; a page closes earlier then. */
export const pageBytesMax = 1 * MIB;
/** Deepest tree: 2^7 keys a page reach 10^16 entries in 8 levels. */
export const treeLevelsMax = 8;

/** Content that rides inside a head, bytes: one gossip message stays one TCP burst. */
export const inlineBytesMax = 32 * KIB;
/** Largest signed document (head with operations, roster), bytes. */
export const documentBytesMax = 1 * MIB;
/** Largest control message, bytes. */
export const controlFrameBytesMax = 1 * MIB;
/** Largest gossip message, bytes. */
export const gossipBytesMax = 256 * KIB;

/** Members of a share: what the roster and the peer table are sized for. */
export const membersMax = 1000;
/** Below this many members everyone is everyone's neighbour. */
export const fullMeshMembersMax = 24;
/** Neighbours an agent seeks in a larger mesh. */
export const neighboursWanted = 16;

/** A writer that publishes nothing signs its head again after this long, ms. */
export const headRefreshMs = 10_000;
/** A head older than this reads as stale, ms: three refreshes. */
export const headStaleMs = 30_000;
/** Control streams carry a heartbeat this often, ms: a lost gossip message costs under a second. */
export const heartbeatMs = 500;
/** The same where nothing has changed for so long, ms: who misses a head then is pushed it all the same, by those who saw its status before. */
export const restHeartbeatMs = 2_000;
export const restAfterMs = 5_000;
/** Least `idle_timeout` that counts for a connection of neighbours, ms: two of their signs of life may be late. */
export const neighbourIdleMsMin = 3 * restHeartbeatMs;
/** A neighbour silent for this long is gone, ms. */
export const neighbourSilentMs = 15_000;
/** How far clocks of members may be apart before expiry dates are doubted, ms. */
export const clockSkewMs = 120_000;

/** Calls that a worker thread has at once, the running one included: the next starts without a round trip. */
export const poolCallsAheadMax = 2;

/** Longest name of an agent or a share, bytes of UTF-8: a host name's label is 63. */
export const labelBytesMax = 64;
/** Longest version text of an agent, bytes. */
export const agentVersionBytesMax = 32;
/** Addresses an agent tells of itself, and an invitation carries. */
export const addressesMax = 8;
/** Longest address, bytes: the longest DNS name in a multiaddr that ends in a PeerId. */
export const addressBytesMax = 340;
/** Addresses the roster keeps of one member, bytes in all: a thousand members fit one document. */
export const rosterAddressesBytesMax = 384;
/** Revocations a roster holds: what fits beside a thousand members. */
export const revocationsMax = 2000;
/** How long a member counts after its certificate was made or a roster that names it was signed, ms: so long can a removal be kept from somebody. */
export const certificateLifeMs = 90 * 24 * 3600 * 1000;
/** The writer signs the roster again, and with it every certificate, when so much of its life is left, ms: a writer may be gone for a month. */
export const certificateRenewMs = certificateLifeMs / 3;
/** Largest body of a certificate or of an invitation's terms, bytes: their fields at their longest, and some room. */
export const certificateBytesMax = 256;
/** Largest roster, bytes: it and its frame stay below controlFrameBytesMax. */
export const rosterBytesMax = 1000 * KIB;
/** How long after an invitation's end a member's word for who came with it in time still counts, ms: a writer may be gone for a week. */
export const introductionGraceMs = 7 * 24 * 3600 * 1000;
/** Longest life of an invitation, ms: a revocation older than this guards against nothing any more. */
export const invitationLifeMaxMs = 366 * 24 * 3600 * 1000;
/** Invitations that a home remembers to have made, about 250 B each: as many as a share has members. */
export const issuedInvitationsMax = 1000;
/** Longest pasted invitation, characters: eight of the longest addresses in base64. */
export const invitationCharactersMax = 6000;
/** Shares that two agents have in common. */
export const sharesMax = 64;
/** Largest hello, bytes: read from strangers, so it is bounded well below other frames. */
export const helloBytesMax = 64 * KIB;
/** Longest time a busy peer may ask to be left alone for, ms: more would be a way to starve others. */
export const busyMsMax = 60_000;
/** Fields of one control or gossip message, nested ones counted: its objects are bounded before they are made. */
export const wireFieldsMax = 8192;
/** Longest reason in words on the wire, bytes. */
export const reasonBytesMax = 512;

/** /etc/passwd and /etc/group are looked at again after this long, ms: two stats a second at most. */
export const accountsRecheckMs = 1000;
/** Two looks at a changed file lie this far apart, ms: longer than a write between open and close, below what anybody notices. */
export const settleMs = 5;
/** What happened in a replica's directory is looked at after this long, ms: its own commits are in the index by then, and cost one look. */
export const replicaPatienceMs = 100;
/** Longest pause between two looks at a file that keeps changing, ms. */
export const settleLongestMs = 100;
/** A file that never rests is published this often, ms. */
export const restlessMs = 2000;
/** Most paths that wait to come to rest, about 200 B each; what comes on top is taken as it is. */
export const settlePathsMax = 100_000;

/** Names that were told of and wait to be looked at, some 100 B each; beyond, their directories are listed. One step of the loop takes them all. */
export const markedNamesMax = 8_192;

/** Places of one block that the index names, when asked: enough to survive files that vanish between two looks. */
export const blockLocationsMax = 8;

// The swarm (swarm/): who is asked for what, and how much of it is remembered.
/** Neighbours a share's machine keeps; more are not taken in: a full mesh of 24, or 16 sought and as many who sought us. */
export const neighboursMax = 64;
/** Requests in flight in all, least and most: 6 fill a LAN (simulated: 4 cost 6 points of S/B), 16 a link with latency. */
export const requestsInFlightMin = 6;
export const requestsInFlightMax = 16;
/** Requests in flight to one neighbour: the second hides the round trip of the first. */
export const requestsPerNeighbourMax = 2;
/** The same where at most `fewNeighbours` can be asked: reading, hashing, sending, checking and writing go on at once, in a request each. */
export const requestsPerFewMax = 4;
export const fewNeighbours = 2;
/** Requests of one neighbour that wait here; the next is told BUSY at once, for a deep queue hides a slow server. */
export const serveQueuePerNeighbourMax = 2;
/** Requests that are answered at one time: two keep a link full, the others wait for a slow reader no longer than this. */
export const servesAtOnceMax = 4;
/** Bytes a neighbour may be served before the next one's turn: a typical request. */
export const serveQuantumBytes = 256 * KIB;
/** Missing pages and blocks looked for at one time; the walk waits beyond (about 200 bytes of memory each). */
export const wantsMax = 65_536;
/** Digests that neighbours said they have and we lack, remembered in all; the oldest are forgotten, completion tells again. */
export const havesMax = 262_144;
/** Digests in one `have` message, bytes of which stay far below a control frame. */
export const haveDigestsMax = 4096;
/** Tree entries looked at in one step of the machine: about 10 ms, so that a big head never blocks the loop. */
export const walkEntriesPerStep = 8192;
/** Paths that drifted and wait to be put right; more are found again by the next scan. */
export const driftedMax = 65_536;
/** Strikes after which a neighbour is not asked any more until one has decayed. */
export const strikesMax = 3;
/** Drifted paths that one apply puts right: a look-up each, about 50 ms in all. */
export const driftedAtOnceMax = 512;
/** One strike is forgiven after this long, ms. */
export const strikeDecayMs = 60_000;
/** Blocks of one publish whose first holder the origin chooses; a larger publish is announced at once. */
export const revealBlocksMax = 1_048_576;
/** Publishes below both are announced to everyone at once: the reveal would cost more than it saves. */
export const revealBlocksMin = 4;
export const revealBytesMin = 256 * KIB;
/** With fewer neighbours everything is announced to all at once: there is nobody to spread it through. */
export const revealNeighboursMin = 3;
/** Versions whose root is remembered to notice a writer that signs two of one version. */
export const rememberedRootsMax = 64;

// Daemon.
/** Differences on disk that are handed over at once, the same as a scan lists: what is written of them is one step of the loop, about 100 ms. */
export const observeBatchPathsMax = 2_048;
/** A scan hands over what it found once it is so many differences, or the first has waited so long, ms: see `daemon/gathered.ts`. */
export const observeGatherPaths = 1_024;
export const observeGatherMs = 100;
/** A whole scan that catches what the watcher missed (writes through links from outside, mmap), ms. */
export const rescanIntervalMs = 15 * 60_000;
/** How often directories that cannot be watched are listed, ms; also the pause after a failed look. */
export const pollUnwatchedMs = 2_000;
/** How long a start waits for another one that looks at the same home's lock, ms: that look takes a few. */
export const lockTakeoverMs = 2000;
/** `wait` gives an agent that was started with it this long to take its home, ms: a start takes some 300 on a busy machine. */
export const agentAppearsMs = 3_000;
/** How often `wait` looks for an agent that does not listen yet, ms. */
export const agentLookMs = 50;

/** Longest user or group name, bytes: what getpwnam and directory services hand out. */
export const accountNameBytesMax = 255;
/** Largest user or group number: uid_t has 32 bits. */
export const accountNumberMax = 2 ** 32 - 1;
/** Pages of a share's index kept in memory as they are: all of a tree of 30,000 entries, the upper levels and the paths of late of any other. */
export const pageCacheBytesMax = 4 * MIB;
/** Tree pages kept decoded: the way to a leaf for a few walkers at one time, some 8 MB. */
export const decodedPagesMax = 128;
/** Average number of records a block-list page ends after: 2^7, so that one edit of a file rewrites about 5 KB. */
export const listKeysAverageBits = 7;
/** Most records in a block-list page: bounds decoding. */
export const listKeysMax = 1024;
/** Blocks of one file: 2 TiB at their average of 512 KiB, some 400 MB of memory while they are gone through. */
export const fileBlocksMax = 4 * MIB;
/** Deepest block list: 2^7 records a page reach beyond 2^53 bytes in 6 levels. */
export const listLevelsMax = 8;

// Placing (disk/confined, stage, commit): what is open or in flight while a version is written.
/** Directory descriptors kept open a thread: a commit touches few directories at a time, and 1,024 is a usual limit of a process. */
export const directoryDescriptorsMax = 256;
/** Longest file that is read as a key that was exported, bytes: one line of 150, and what an editor may add. */
export const keyFileBytesMax = 4096;
/** What is read of `.p2psync/share`: a share's id and some white space. */
export const markerBytesMax = 256;
/** Steps handed to the commit thread in one call: about 20 ms, so that neither an abort nor the main thread waits long. */
export const commitStepsPerCall = 1024;
/** Bytes of big files put together in one call to the commit thread: about 50 ms. */
export const commitFillBytesPerCall = 32 * MIB;
/** Files synced to the device in one call, in the background: a waiting commit comes in between. */
export const durableFilesPerCall = 64;
/** Directories under `.p2psync/kept` tried for one commit's local changes before it gives up: each holds any path once. */
export const keptDirectoriesMax = 100;
/** Longest line of the journal, bytes: two paths, a link target and stats, with every character escaped. */
export const journalLineBytesMax = 128 * KIB;
/** Commits whose files wait to be made durable; the next one makes them so first. */
export const undurableCommitsMax = 4096;
/** Part files open at one time: as many big files as are fetched at once, and some. */
export const openPartsMax = 32;

/** Names in `[access]` are asked for again this often, ms: a moved host is let in, or kept out, within a minute. */
export const accessRefreshMs = 60_000;

// The network (net/): what one peer, and one who is not a peer yet, may cost.
/** Inbound connections of peers that are not admitted, in all and from one IP: a storm of restarts fits, an attacker fills no more. */
export const strangersMax = 128;
export const strangersPerAddressMax = 32;
/** A peer that is not admitted by then is hung up, ms: hello and roster look-up take a few round trips. */
export const strangerDeadlineMs = 10_000;
/** New inbound connections a second from one IP, and handshakes at one time: a hundred agents behind one NAT start at once. */
export const inboundPerSecondMax = 200;
export const inboundPendingMax = 100;
/** Of these handshakes those of one IP: a hundred agents behind one NAT come in a few rounds, and one attacker leaves places. */
export const inboundPendingPerAddressMax = 32;
/** A handshake of somebody else is done by then, ms: a few round trips and two curves, also while everybody restarts. */
export const inboundHandshakeMs = 10_000;
/** Streams a peer may have open on one connection: control, gossip, blocks, identify, ping, each with its successor. */
export const streamsPerConnectionMax = 16;
/** Unread bytes of one stream, the largest window: 1 Gbit/s at 32 ms; also the largest frame of the muxer. */
export const streamWindowBytesMax = 4 * MIB;
/** A stream says that its window is open again when so much of it was used, bytes: half of the smallest window. */
export const windowUpdateBytes = 128 * KIB;
/** libp2p resets a stream that buffers more; above the window, so that a paused reader never loses one. */
export const streamReadBytesMax = 6 * MIB;
/** Bytes taken from a stream and not yet handled; above it the stream is paused. */
export const pullBytesMax = 1 * MIB;
/** Bytes in a bulk stream's write queue above which the next answer waits: keeps the muxer busy, and control frames soon. */
export const bulkQueueBytesMax = 256 * KIB;
/** Bytes queued to a control peer that does not read, and of gossip: beyond, the peer is as good as dead. */
export const controlQueueBytesMax = 8 * MIB;
export const gossipQueueBytesMax = 8 * MIB;
/** Requests one peer may have open here; an honest one keeps a handful. */
export const requestsOpenMax = 64;
/** One address of a peer is given this long to connect, and a whole dial, ms. */
export const dialAddressMs = 5_000;
export const dialMs = 15_000;
/** Addresses tried of one peer; more are ignored. */
export const addressesPerPeerMax = 16;
/** Opening and accepting a control stream, ms: a few round trips on a slow link. */
export const controlOpenMs = 10_000;
/** A polite close is cut off after this long, ms. */
export const closeMs = 500;
/** Dials at one time: more would only wait for each other's handshakes. */
export const dialsAtOnceMax = 16;
/** Pause before a failed dial is repeated, ms: doubles from the least to the most, jittered, for ever. */
export const redialMinMs = 500;
export const redialMaxMs = 30_000;
/** A link that held this long counts as good: its loss is answered by an immediate redial, ms. */
export const linkProvenMs = 10_000;
/** Of two peers one dials at once, the other after this long, ms: saves most double connections. */
export const yieldDialMs = 1_500;
/** Bytes an own gossip message may cost in all when sent to every subscriber instead of the mesh. */
export const floodBytesMax = 512 * KIB;
/** Topics of one peer that are remembered until they admit it: two a share. */
export const gossipTopicsPerPeerMax = 2 * sharesMax;
/** Longest topic that is remembered, characters: a share's have 49. */
export const gossipTopicBytesMax = 64;
/** Messages whose topic is remembered, for those who ask for them by id: gossipsub keeps those of five seconds. */
export const gossipIdsMax = 4096;

/** Largest `.p2psyncignore`, bytes: what is checked against every path has to stay small. */
export const ignoreFileBytesMax = 64 * KIB;
/** Answers that compiled ignore rules remember, paths: the memory of a rule set stays below a few MB. */
export const ignoreRememberedMax = 16_384;
/** Directories that a scanning thread is given at once: their listings still fit one message. */
export const scanBatchDirectories = 64;
/** Directories that are watched and wait to be listed: one group of watches, so that neither has to wait for the other. */
export const scanReadyDirectories = 256;
/** A scanning thread reports after so many entries, or this long, ms: the walk stays shared out and can be stopped. */
export const scanSliceEntries = 2048;
export const scanSliceMs = 10;
/** Fewer removed entries than this never hold a publish back. */
export const massDeleteEntriesMin = 100;
/** Removals are summed up over this long, ms: a slow `rm -r` is one. */
export const massDeleteWindowMs = 60_000;
/** Edits that may wait to ride inside the next head: more would never fit in `inlineBytesMax`. */
export const inlineEditsMax = 256;
/** Directories that move inside one head, and the entries that one update of a tree moves with them: some 100 ms of work. */
export const inlineMovesMax = 16;
export const movedEntriesMax = 16_384;
/** Bytes of blocks and pages that came and are not stored yet; above it peers are read no further. */
export const contentPendingBytesMax = 16 * MIB;
/** A read of one block for a peer takes no longer, ms: a hung disk must not hold a place in the queue for ever. */
export const serveReadMs = 30_000;

/** Arrays and objects of a JSON text that lie in each other: ours have five at most. */
export const jsonDepthMax = 64;
/** Largest body of a request to the HTTP server, bytes: an invitation with many addresses is a few KiB. */
export const httpBodyBytesMax = 64 * KIB;
/** Connections the HTTP server holds open at once, on each of its two listeners. */
export const httpConnectionsMax = 256;
/** Readers of `/api/v1/events` at once, on each listener: each holds a connection for good. */
export const httpEventReadersMax = 32;
/** How long a client may take to send a whole request, ms. */
export const httpRequestMs = 10_000;
/** A silent event stream says that it lives this often, ms: below the minute after which proxies hang up. */
export const httpEventBeatMs = 15_000;
/** Rows of a long answer are written in chunks of about this many bytes. */
export const httpChunkBytes = 32 * KIB;
/** Longest line of a streamed answer that the client takes, bytes: the longest path, escaped, with its fields. */
export const httpLineBytesMax = 64 * KIB;
/** Largest whole answer that the client takes, bytes: a thousand members with addresses are a megabyte. */
export const httpAnswerBytesMax = 64 * MIB;

/** Directories that share one chokidar instance: large enough to start fast, small enough to take single ones out of. */
export const watchGroupDirectories = 256;
/** Under a stream of events the dirty marks are handed on this often, ms: a burst costs few messages. */
export const watchFlushMs = 2;
/** A directory that may have been replaced is looked at after this long, ms: a storm of renames costs twenty looks a second. */
export const watchRecheckMs = 50;
/** Most dirty names of one directory that are told one by one; with more it is listed again. */
export const watchedNamesMax = 4096;
/** How often each connection is looked at, and one on which nothing came since asked for a sign of life, ms: three times before it counts as gone. */
export const pingMs = 5_000;
/** A measured round trip older than this is measured again, ms, also where the peer speaks by itself. */
export const roundTripAgeMs = 30_000;

/** Addresses that an index maps at first, bytes: room for over a million files. They are no memory; a larger index takes more. */
export const indexMapBytes = 1024 * MIB;
/** Files that a reading thread is given at once, and how long it reads before it reports, ms: a large file delays few. */
export const readBatchFiles = 128;
export const readSliceMs = 20;
/** A file of this many bytes is read by all threads: one cuts on while others hash, in parts of so many bytes, each whole in memory. */
export const readSplitBytesMin = 64 * MIB;
export const readPartBytes = 4 * MIB;
/** Faults that `status` lists: enough to see what is wrong, short enough to read. */
export const faultsShownMax = 1_000;
/** How often an agent says anew how its share stands, ms, where nothing changed. */
export const statementIntervalMs = 10_000;
/** A change is said so long after it, ms: what follows at once goes into the same statement, and neighbours know from the control stream. */
export const statementDelayMs = 250;
/** Statements of one member that came from itself are passed on this often, ms, where all are connected to all: for who is cut off from it. */
export const statementRelayMs = 5_000;
/** Statements of one agent are at least this far apart, ms, per member: a thousand members must not gossip all day. */
export const statementPauseMsPerMember = 2;
/** Pause before what could not be stored or applied is tried again, ms: the disk may have space again. */
export const applyRetryMs = 2_000;
/** Files that were put in place are made durable in the background after this long, ms. */
export const durableDelayMs = 1_000;
/** `peers` shows rates over this long, ms: long enough to be steady, short enough to be now. */
export const rateWindowMs = 4_000;
/** How often rates are sampled, ms. */
export const rateSampleMs = 1_000;
/** Versions whose trees stay readable (`diff`, peers that still walk an older one) besides those that are kept on purpose. */
export const versionsKeptMax = 16;
/** Paths that `verify` compares at once: bounds what it holds in memory. */
export const verifyBatchPathsMax = 2_048;
/** Peers whose addresses are remembered: every member, and as many who were. */
export const addressBookPeersMax = 2 * membersMax;
/** First pause before a path that could not be put right is tried again, ms; it doubles up to the longest. */
export const failedPathRetryMs = 250;
export const failedPathRetryMsMax = 30_000;
/** Changes of a share's first version that are one commit: few enough for one call of its thread, which takes some 100 ms. */
export const firstPartChanges = 900;
/** A walk over a whole tree lets others run after this many entries: about 10 ms. */
export const treeWalkPauseEntries = 4_096;

/** A worker thread beyond a pool's first ends after doing nothing for this long, ms: starting one costs 50 ms, keeping it 10 MB. */
export const threadIdleMs = 3_000;
/** Semi-space of a worker thread, MiB: it keeps two of them, though it rests. The main thread's is the launcher's to say. */
export const threadSemiSpaceMib = 1;
/** A heap of less than this is not worth a pause to make it smaller, bytes. */
export const heapTrimBytesMin = 48 * MIB;
/** A heap of more than this is collected in two stops, bytes: one of 5 s was seen at 600 MB on a busy machine. */
export const heapTrimWholeBytesMax = 192 * MIB;
/** How often an agent that nobody asked for anything in between looks whether its heap has grown, ms. */
export const heapLookMs = 5_000;
/** After names came, went or were replaced, the watches are audited and everything is looked at again so much later, ms. */
export const auditDelayMs = 1_000;
/** Pages that a sweep looks at before it lets others run: a few ms. */
export const sweepSlicePages = 16;
/** Versions after which the pages of those that are not kept are swept: a few MB of them at most. */
export const sweepAfterVersions = 256;

// Blocks over TLS (net/blocks/tls*): one socket a direction and peer, all of them in one worker thread.
/** A TLS connection that is not up by then is given up, ms; until it is up, requests go over libp2p. */
export const bulkConnectMs = 2_000;
/** A key that nobody used by then is worth nothing any more, ms: who asked for it has given up, and not yet asked for another. */
export const bulkOfferMs = 2 * bulkConnectMs;
/** An inbound connection has shown by then that it has a key, ms. */
export const bulkHandshakeMs = 5_000;
/** Inbound connections that have not shown a key, in all and from one IP; a newcomer beyond is closed unheard. */
export const bulkArrivalsMax = 64;
export const bulkArrivalsPerAddressMax = 16;
/** Who asks for so many pages at once will ask for blocks soon: the connection for them is opened meanwhile. */
export const bulkPagesMin = 16;
/** How often connections are looked at for idleness and death, ms. */
export const bulkLookMs = 2_000;
/** A connection that owes answers and brought no byte is taken for broken after this long, ms. */
export const bulkStallMs = 30_000;
/** Breaks in a row, each before the connection proved itself, after which blocks go over libp2p for a while. */
export const bulkBreaksMax = 2;
/** Pause before TLS is tried again, ms: doubles from the least to the most. */
export const bulkRetryMinMs = 5_000;
export const bulkRetryMaxMs = 600_000;
/** Bytes of one connection that the thread has read and the main thread not yet handled; above it, it is not read. */
export const bulkAheadBytesMax = 4 * MIB;
/** Memory into which a connection that asks is read, bytes: what OpenSSL decrypts from one read of the socket. */
export const bulkReadBytes = 64 * KIB;
/** Blocks go from thread to thread together, up to this many bytes at a time, in memory of about that size. */
export const bulkBatchBytes = 1 * MIB;
/** While a further block is half here, those before it wait this long for it, ms: a message between threads costs as much as 64 KiB of block. */
export const bulkGatherMs = 4;
/** In front of each block that is read to be sent so many bytes of memory are free, for what goes before it on the wire. */
export const blockHeadBytes = 42;
/** Frames of up to this many bytes in all are copied to be written as one: each write is a record and a call of its own. */
export const bulkJoinBytesMax = 64 * KIB;
/** Bytes of one connection on their way from the main thread to the kernel; above it the next answer waits. */
export const bulkSendBytesMax = 3 * MIB;
/** Memory that a frame costs besides its bytes, in bytes, and one digest of it: what counts in the two bounds above. */
export const bulkFrameCostBytes = 512;
export const bulkDigestCostBytes = 128;
/** Blocks are compressed on a connection that takes fewer bytes a second: faster ones gain less than zstd costs. */
export const bulkPackBelowBytesPerSecond = 32 * MIB;
/** How long a connection has to be busy before its speed counts, ms. */
export const bulkRateMs = 250;
/** Smaller blocks are not compressed, bytes: there is nothing to sample, and little to gain. */
export const bulkPackBytesMin = 4 * KIB;

/** A directory that appeared is listed after this long at most where something seems to go, ms: a rename's other half settles in `settleMs`. */
export const arrivalWaitMs = 25;
/** A directory's new time waits for what comes to rest in it this long at most, ms, and where at most so many paths are coming to rest in all. */
export const companionWaitMs = 25;
export const companionPathsMax = 256;
/** Files whose old name went since the last publish and whose digest is remembered, some 300 B each. */
export const departedFilesMax = 100_000;
/** A repair is looked after this often, ms, and given up for now where nothing has moved for so long, ms: nobody may have the bytes. */
export const repairLookMs = 50;
export const repairStalledMs = 30_000;
/** Bytes of one request that are read with one call of the worker: small blocks share its cost, and four answers at a time hold 4 MiB. */
export const serveBytesAtOnce = 1 * MIB;
/** From an agent's port to the one of its blocks: agents on one machine are given neighbouring ports, which must not meet. */
export const bulkPortStep = 1_000;
/** Heads of which is remembered when they were heard, some 50 B each: what lag is reckoned by. */
export const heardHeadsMax = 1024;
/** After a whole scan that directories' changes asked for, the next one waits this many times as long as it took. */
export const scanRestShare = 20;
/** The same where only names came or went, which seldom hides anything. */
export const namesRestShare = 200;

// `[limits] upload` and `download` (net/blocks/pace): a slice and the burst stay below a twentieth of a second together.
/** Bytes that one connection moves at a time under a limit, in time at its rate, ms, and at most: what others wait for. */
export const paceSliceMs = 15;
export const paceSliceBytesMax = 64 * KIB;
/** What may be caught up after nothing was moved for a while, ms: late timers and a busy loop cost nothing of the rate. */
export const paceBurstMs = 30;
/** Least rate that can be asked for, bytes a second: below it a slice would be a few bytes. */
export const paceBytesPerSecondMin = 1024;
/** Under a limit so much is asked for ahead, in time at its rate, ms: it comes at the network's pace, and more would pass the limit there. */
export const paceAheadMs = 50;
/** A peer is asked to send at this share of the limit, percent: what it falls short is caught up, and little comes ahead. */
export const paceToldPercent = 105;
/** A connection on which a large block comes in slowly says so this often, ms: it is not to be taken for broken. */
export const bulkSignMs = 1_000;

// What is written down (daemon/transfer-*, audit-*, syslog).
/** Lines of the transfer log are gathered for this long, ms: one write for many, and not while other replicas of the machine still apply. */
export const transferBatchMs = 500;
/** Changes whose lines wait to be written; they are held as they came, so only much more than a whole tree is too much. */
export const transferPendingMax = 2 * 1_048_576;
/** Received blocks of which is remembered who sent them until their file is in place, about 50 B each; the oldest are forgotten. */
export const transferSourcesMax = 262_144;
/** Heads with changes inside that wait for their apply, each at most `inlineBytesMax`. */
export const transferInlineMax = 64;
/** Text that is handed to the file system at once, bytes, and lines made before others get their turn. */
export const transferWriteBytes = 128 * KIB;
export const transferSliceLines = 256;
/** Peers that one line of the transfer log names, most bytes first. */
export const transferPeersMax = 4;
/** Longest line that a reader of the logs takes, bytes: a path, a link's target and what an escape makes of them. */
export const logLineBytesMax = 64 * KIB;
/** How often `--follow` looks whether there is more, ms. */
export const followPollMs = 200;
/** Widest field of a log format, columns: what nobody means is not allocated. */
export const logFieldWidthMax = 4096;
/** Bytes that wait for a syslog that does not read; more is left out, and counted. */
export const syslogQueueBytesMax = 1 * MIB;
/** Longest record for syslog, bytes: what rsyslog and journald take by default. */
export const syslogLineBytesMax = 8 * KIB;
/** Pause before syslog is tried again, ms. */
export const syslogRetryMs = 5_000;
/** Events of the audit log that nobody waits for are durable and sealed after this long, ms. */
export const auditSealMs = 2_000;
/** Events that wait while the disk takes nothing; more are left out, and counted. */
export const auditBacklogMax = 1_024;
/** An audit log of this many bytes is put aside and a new one continues it. */
export const auditFileBytesMax = 64 * MIB;
/** Refusals of one kind of one peer within this time, ms, are one line after the first: a log must not be a way to fill a disk. */
export const auditRefusalsMs = 60_000;
/** Kinds of refusals that are told apart at one time; the others share a line. */
export const auditRefusalKindsMax = 64;
/** Files of rsyncd.conf that include each other, one inside the other: more is a circle. */
export const rsyncdIncludeDepthMax = 16;
/** What one import reads in all, bytes: every file of it is one that a person wrote. */
export const rsyncdBytesMax = 1 * MIB;
/** Blocks stored together that the machine hears of in one step: about 1 ms, and the next request goes out between. */
export const storedEventsAtOnce = 64;
