import NetworkModel

/// What an identity service said of tokens, for a while: bounded in time by each entry, in size by two halves. When the newer half is full it becomes
/// the older one; an entry of the older half that is asked for moves to the newer one; what nobody asked for meanwhile is forgotten.
struct TokenCache<Key: Hashable, Value> {
    private struct Entry {
        var value: Value
        var storedAt: Timestamp
        var endsAt: Timestamp

        /// A clock that was set back makes no entry live longer.
        func isFresh(_ now: Timestamp) -> Bool { storedAt <= now && now < endsAt }
    }

    /// How many entries there are at most.
    let limit: Int
    private var newer: [Key: Entry] = [:]
    private var older: [Key: Entry] = [:]

    init(limit: Int) { self.limit = limit }

    var count: Int { newer.count + older.count }

    /// The value of the key, if there is one that has not ended.
    mutating func value(_ key: Key, now: Timestamp) -> Value? {
        if let entry = newer[key] { return entry.isFresh(now) ? entry.value : nil }
        guard let entry = older.removeValue(forKey: key), entry.isFresh(now) else { return nil }
        store(entry, key)
        return entry.value
    }

    mutating func store(_ value: Value, for key: Key, now: Timestamp, endsAt: Timestamp) {
        guard now < endsAt else { return }
        older.removeValue(forKey: key)
        store(Entry(value: value, storedAt: now, endsAt: endsAt), key)
    }

    private mutating func store(_ entry: Entry, _ key: Key) {
        if newer.count >= limit / 2, newer[key] == nil {
            older = newer
            newer.removeAll(keepingCapacity: true)
        }
        newer[key] = entry
    }
}
