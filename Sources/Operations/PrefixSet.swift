import Addressing

/// Addresses of one family as prefixes describe them. Pure.
struct PrefixSet: Sendable, Equatable {
    let version: IPVersion
    /// Ascending, and with at least one address between two of them.
    private(set) var ranges: [ClosedRange<UInt128>]

    private init(version: IPVersion, ranges: [ClosedRange<UInt128>]) {
        self.version = version
        self.ranges = ranges
    }

    /// Prefixes of other families are left out.
    init(_ prefixes: some Sequence<IPPrefix>, version: IPVersion) {
        self.version = version
        ranges = []
        let given = prefixes.filter { $0.version == version }.map { $0.address.number...$0.last.number }
        for range in given.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            // Adjacent ranges become one; behind the last address of all there is no next one.
            guard let last = ranges.last, last.upperBound == .max || range.lowerBound <= last.upperBound + 1 else {
                ranges.append(range)
                continue
            }
            ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
        }
    }

    /// The fewest prefixes with just these addresses, ascending.
    var prefixes: [IPPrefix] { ranges.flatMap(blocks) }

    func subtracting(_ other: PrefixSet) -> PrefixSet {
        var rest: [ClosedRange<UInt128>] = []
        // Of the other's ranges, those before this index end before the range at hand begins.
        var index = 0
        for range in ranges {
            var start = range.lowerBound
            var isUsedUp = false
            while index < other.ranges.count, other.ranges[index].upperBound < range.lowerBound { index += 1 }
            var next = index
            while next < other.ranges.count, other.ranges[next].lowerBound <= range.upperBound {
                let hole = other.ranges[next]
                if hole.lowerBound > start { rest.append(start...(hole.lowerBound - 1)) }
                guard hole.upperBound < range.upperBound else {
                    isUsedUp = true
                    break
                }
                start = hole.upperBound + 1
                next += 1
            }
            if !isUsedUp { rest.append(start...range.upperBound) }
        }
        return PrefixSet(version: version, ranges: rest)
    }

    func isDisjoint(with other: PrefixSet) -> Bool {
        other.version != version || subtracting(other) == self
    }

    func contains(_ other: PrefixSet) -> Bool {
        other.ranges.isEmpty || (other.version == version && other.subtracting(self).ranges.isEmpty)
    }

    private func blocks(of range: ClosedRange<UInt128>) -> [IPPrefix] {
        var blocks: [IPPrefix] = []
        var start = range.lowerBound
        while true {
            // The largest block that begins here: as far as the address is aligned, and not behind the end.
            let aligned = start == 0 ? version.addressBits : min(start.trailingZeroBitCount, version.addressBits)
            let left = range.upperBound - start
            let fitting = left == .max ? 128 : 127 - (left + 1).leadingZeroBitCount
            let bits = min(aligned, fitting)
            guard let address = IPAddress(version: version, number: start),
                let block = IPPrefix(masking: address, length: version.addressBits - bits)
            else { preconditionFailure("a range of a family is made of the family's prefixes") }
            blocks.append(block)
            guard block.last.number < range.upperBound else { return blocks }
            start = block.last.number + 1
        }
    }
}
