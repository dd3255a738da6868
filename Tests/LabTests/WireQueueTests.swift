import Testing

@testable import Lab

struct WireQueueTests {
    private static let millisecond: Int64 = 1_000_000

    /// The frames that leave until the given time, each with the time of its leaving.
    private func drain(_ queue: inout WireQueue, until end: Int64) -> [(frame: UInt8, at: Int64)] {
        var left: [(frame: UInt8, at: Int64)] = []
        while let due = queue.due, due <= end, let frame = queue.next(at: due) { left.append((frame: frame[0], at: due)) }
        return left
    }

    @Test("Every frame waits the delay, and none overtakes another without jitter")
    func delay() {
        var queue = WireQueue(rules: .init(delayNanoseconds: 20 * Self.millisecond), seed: 1)
        for index in 0..<100 { queue.add([UInt8(index)], at: Int64(index) * Self.millisecond / 2) }
        let early = queue.next(at: 20 * Self.millisecond - 1)
        #expect(early == nil)
        let left = drain(&queue, until: .max)
        #expect(left.map(\.frame) == Array(0..<100))
        #expect(zip(0..., left).allSatisfy { $1.at == Int64($0) * Self.millisecond / 2 + 20 * Self.millisecond })
        #expect(queue.count == 0)
    }

    @Test("With jitter frames leave within its bounds, and overtake each other", arguments: [1, 2, 3] as [UInt64])
    func jitter(seed: UInt64) {
        let rules = WireQueue.Rules(delayNanoseconds: 20 * Self.millisecond, jitterNanoseconds: 10 * Self.millisecond)
        var queue = WireQueue(rules: rules, seed: seed)
        for index in 0..<200 { queue.add([UInt8(index)], at: Int64(index) * Self.millisecond) }
        let left = drain(&queue, until: .max)
        #expect(left.count == 200)
        for (frame, at) in left {
            #expect((10 * Self.millisecond...30 * Self.millisecond).contains(at - Int64(frame) * Self.millisecond))
        }
        #expect(left.map(\.frame) != left.map(\.frame).sorted())
        #expect(left.map(\.at) == left.map(\.at).sorted())
    }

    @Test("A frame that is reordered leaves at once, before those that wait")
    func reorder() {
        var queue = WireQueue(rules: .init(delayNanoseconds: 50 * Self.millisecond, reorder: 0.3), seed: 7)
        for index in 0..<200 { queue.add([UInt8(index)], at: 0) }
        let early = drain(&queue, until: 0).count
        #expect((20..<120).contains(early))
        let late = drain(&queue, until: .max).count
        #expect(late == 200 - early)
    }

    @Test("About so many frames are lost as asked for, the same ones with the same seed, whatever else happens to them")
    func loss() {
        func kept(_ rules: WireQueue.Rules, seed: UInt64) -> [Bool] {
            var queue = WireQueue(rules: rules, seed: seed)
            return (0..<1000).map { queue.add([0], at: Int64($0)) }
        }
        let alone = kept(.init(loss: 0.25), seed: 3)
        #expect((150...350).contains(alone.count { !$0 }))
        #expect(kept(.init(loss: 0.25, delayNanoseconds: 5, jitterNanoseconds: 3, reorder: 0.5), seed: 3) == alone)
        #expect(kept(.init(loss: 0.25), seed: 4) != alone)
        #expect(kept(.init(loss: 1), seed: 1).allSatisfy { !$0 })
        #expect(kept(.init(), seed: 1).allSatisfy { $0 })
    }

    @Test("A full queue loses what comes, and no more")
    func bound() {
        var queue = WireQueue(rules: .init(delayNanoseconds: 1), seed: 1)
        for _ in 0..<WireQueue.limit { queue.add([1], at: 0) }
        #expect(queue.count == WireQueue.limit)
        let isKept = queue.add([2], at: 0)
        #expect(!isKept)
        let first = queue.next(at: 1)
        #expect(first == [1])
        let isKeptNow = queue.add([3], at: 0)
        #expect(isKeptNow)
        #expect(queue.count == WireQueue.limit)
    }
}
