/// What a wire does to the frames of one direction: which are lost, and when each of the others leaves. Pure: times and randomness come in.
///
/// As netem does it (tc-netem(8)): a frame waits the delay and an evenly spread jitter, and overtakes others when its time comes first; some
/// do not wait at all.
struct WireQueue {
    struct Rules: Hashable, Sendable {
        /// 0...1.
        var loss = 0.0
        var delayNanoseconds: Int64 = 0
        var jitterNanoseconds: Int64 = 0
        /// The share that does not wait, 0...1.
        var reorder = 0.0
    }

    /// What comes when so many frames wait is lost, as at the end of any queue.
    static let limit = 16_384

    private struct Waiting {
        var due: Int64
        /// Frames that are due at the same time leave in the order of their arrival.
        var order: UInt64
        var frame: [UInt8]

        func isBefore(_ other: Waiting) -> Bool { (due, order) < (other.due, other.order) }
    }

    let rules: Rules
    private var random: SplitMix
    /// A heap: the next frame is at 0.
    private var heap: [Waiting] = []
    private var order: UInt64 = 0

    init(rules: Rules, seed: UInt64) {
        self.rules = rules
        random = SplitMix(state: seed)
    }

    var count: Int { heap.count }
    /// When the next frame leaves.
    var due: Int64? { heap.first?.due }

    /// Takes a frame; false when it is lost.
    @discardableResult
    mutating func add(_ frame: [UInt8], at now: Int64) -> Bool {
        // Each frame takes the same number of decisions, so that one rule does not change what another one does to the frames.
        let (isLost, isEarly, spread) = (random.unit() < rules.loss, random.unit() < rules.reorder, random.unit() * 2 - 1)
        guard !isLost, heap.count < Self.limit else { return false }
        let wait = isEarly ? 0 : rules.delayNanoseconds + Int64(spread * Double(rules.jitterNanoseconds))
        order += 1
        heap.append(Waiting(due: now + max(wait, 0), order: order, frame: frame))
        rise(heap.count - 1)
        return true
    }

    /// The next frame whose time has come.
    mutating func next(at now: Int64) -> [UInt8]? {
        guard let first = heap.first, first.due <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        sink(0)
        return first.frame
    }

    private mutating func rise(_ start: Int) {
        var index = start
        while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func sink(_ start: Int) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child].isBefore(heap[least]) { least = child }
            if least == index { return }
            heap.swapAt(index, least)
            index = least
        }
    }
}

/// SplitMix64: small, and the same everywhere for the same seed.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    /// 0..<1.
    mutating func unit() -> Double { Double(next() >> 11) / Double(1 << 53) }
}
