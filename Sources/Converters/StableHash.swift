import NetworkModel

/// A hash that is the same in every run and on every host (Swift's own is seeded anew by each process): for names and numbers that
/// must not move when the agent restarts. FNV-1a; not for secrets.
enum StableHash {
    static func hash64(_ id: ResourceID) -> UInt64 { hash64(octets(id)) }

    static func hash64(_ text: String) -> UInt64 { hash64(text.utf8) }

    private static func hash64(_ octets: some Sequence<UInt8>) -> UInt64 {
        octets.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// Over all ids in their order.
    static func hash128(_ ids: [ResourceID]) -> UInt128 {
        ids.flatMap(octets).reduce(0x6C62_272E_07BB_0142_62B8_2175_6295_C58D) {
            ($0 ^ UInt128($1)) &* 0x0000_0000_0100_0000_0000_0000_0000_013B
        }
    }

    private static func octets(_ id: ResourceID) -> [UInt8] {
        (0..<16).map { UInt8(truncatingIfNeeded: id.rawValue >> UInt128(120 - 8 * $0)) }
    }
}

/// Conntrack zones: connections of different networks may have the same addresses, so each network on a host has its own zone.
enum ConntrackZones {
    /// Neutron's agents count from 4097; everything below is left to others.
    static let first = 4097
    static let last = 65535

    /// A zone for each network. It depends on the network's id, so that other networks that come and go leave it (and the connections
    /// in it) alone; only of two networks whose numbers collide, the one with the higher id moves to the next free number.
    ///
    /// At most ``last`` − ``first`` + 1 networks get one: a host cannot carry as many bridges.
    static func assign(_ networkIDs: some Sequence<ResourceID>) -> [ResourceID: Int] {
        let size = UInt64(last - first + 1)
        var zones: [ResourceID: Int] = [:]
        var taken: Set<Int> = []
        for id in networkIDs.sorted() where taken.count < Int(size) {
            var zone = first + Int(StableHash.hash64(id) % size)
            while !taken.insert(zone).inserted { zone = zone == last ? first : zone + 1 }
            zones[id] = zone
        }
        return zones
    }
}
