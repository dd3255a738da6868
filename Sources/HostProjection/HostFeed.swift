import HostModel

/// What one connected agent has been sent, and what it must be sent next.
///
///            start(after: nil) ──────────────── list ───▶ ┌──────────┐
///            start(after: R), R forgotten ─ reset, list ─▶ │ following│──┐ changes(keys, revision)
///            start(after: R), R remembered ── changes ───▶ └──────────┘◀─┘
///
/// Each answer ends with one bookmark. Several revisions may be sent as one (the union of their keys, the last revision): items are read
/// from the topology as it is now, so intermediate states are left out.
public struct HostFeed: Sendable {
    public let hostID: String
    /// Key → hash of the item that the agent holds. A hash is enough to leave equal items out, and keeps a feed small: it is keyed anew in
    /// every process (SipHash), so a change goes unnoticed once in 2^64 changes.
    private var sent: [HostItemKey: Int] = [:]

    public init(hostID: String) { self.hostID = hostID }

    /// Begins or resumes.
    ///
    /// - Parameter revision: the revision that the agent says it holds; nil when it holds nothing.
    public mutating func start(after revision: Int?, topology: Topology, journal: ChangeJournal) -> [FeedMessage] {
        guard let revision else { return list(topology, revision: journal.latest) }
        guard let keys = journal.keys(for: hostID, since: revision) else {
            return [.reset] + list(topology, revision: journal.latest)
        }
        return resume(keys, topology: topology, revision: journal.latest)
    }

    /// Everything that the host must realise, and a bookmark.
    public mutating func list(_ topology: Topology, revision: Int) -> [FeedMessage] {
        let items = topology.items(for: hostID)
        sent = Dictionary(minimumCapacity: items.count)
        for item in items { sent[item.key] = item.hashValue }
        return items.map(FeedMessage.put) + [.bookmark(revision: revision)]
    }

    /// Of these keys, those whose items differ from what the agent holds: first puts, what is referred to first, then drops in the opposite
    /// order; and a bookmark.
    public mutating func changes(_ keys: Set<HostItemKey>, topology: Topology, revision: Int) -> [FeedMessage] {
        var messages: [FeedMessage] = []
        var dropped: [HostItemKey] = []
        for key in keys.sorted(by: HostItemKey.comesBefore) {
            guard let item = topology.item(key, for: hostID) else {
                if sent.removeValue(forKey: key) != nil { dropped.append(key) }
                continue
            }
            let hash = item.hashValue
            if sent.updateValue(hash, forKey: key) != hash { messages.append(.put(item)) }
        }
        messages += dropped.reversed().map(FeedMessage.drop)
        messages.append(.bookmark(revision: revision))
        return messages
    }

    /// What has not changed since the agent's revision, the agent holds as it is now; of the rest it is not known which version the agent
    /// holds, so each is sent: to put an equal item or to drop an absent one is harmless.
    private mutating func resume(_ keys: Set<HostItemKey>, topology: Topology, revision: Int) -> [FeedMessage] {
        _ = list(topology, revision: revision)
        var messages: [FeedMessage] = []
        var dropped: [HostItemKey] = []
        for key in keys.sorted(by: HostItemKey.comesBefore) {
            if let item = topology.item(key, for: hostID) { messages.append(.put(item)) } else { dropped.append(key) }
        }
        return messages + dropped.reversed().map(FeedMessage.drop) + [.bookmark(revision: revision)]
    }
}
