/// Key → set of members. A key without members takes no memory.
struct SetIndex<Key: Hashable & Sendable, Member: Hashable & Sendable>: Sendable, Equatable {
    private var members: [Key: Set<Member>] = [:]

    subscript(key: Key) -> Set<Member> { members[key] ?? [] }

    func contains(_ member: Member, at key: Key) -> Bool { members[key]?.contains(member) ?? false }

    mutating func insert(_ member: Member, at key: Key) { members[key, default: []].insert(member) }

    mutating func remove(_ member: Member, at key: Key) {
        members[key]?.remove(member)
        if members[key]?.isEmpty == true { members[key] = nil }
    }
}

/// Key → members, each with the number of reasons for which it is there: it leaves with the last reason.
struct CountIndex<Key: Hashable & Sendable, Member: Hashable & Sendable>: Sendable, Equatable {
    private var counts: [Key: [Member: Int]] = [:]

    subscript(key: Key) -> [Member: Int].Keys { (counts[key] ?? [:]).keys }

    func contains(_ member: Member, at key: Key) -> Bool { counts[key]?[member] != nil }

    /// Returns whether this was the first reason.
    mutating func add(_ member: Member, at key: Key) -> Bool {
        counts[key, default: [:]][member, default: 0] += 1
        return counts[key]?[member] == 1
    }

    /// Returns whether this was the last reason.
    mutating func subtract(_ member: Member, at key: Key) -> Bool {
        guard let count = counts[key]?[member] else { preconditionFailure("only a reason that was added can be subtracted") }
        if count > 1 {
            counts[key]?[member] = count - 1
            return false
        }
        counts[key]?[member] = nil
        if counts[key]?.isEmpty == true { counts[key] = nil }
        return true
    }
}
