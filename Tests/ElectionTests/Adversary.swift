@testable import Election

/// Chooses faults for a simulated group by a seed of its own, and notes them: the same seed gives the same run, whatever the group draws.
final class Adversary {
    let group: SimulatedGroup
    private(set) var story: [String]
    private var generator: SeededGenerator

    init(seed: Int, hosts: ClosedRange<Int> = 2...4) {
        var generator = SeededGenerator(seed: UInt64(seed) &* 104_729)
        let count = hosts.lowerBound + Int(generator.next() % UInt64(hosts.count))
        let routers = 1 + Int(generator.next() % 4)
        group = SimulatedGroup(hosts: count, routers: routers, seed: UInt64(seed), spread: generator.next() % 2 == 0)
        group.jitterMilliseconds = [1, 1, 5, 15][Int(generator.next() % 4)]
        story = ["\(count) hosts, \(routers) routers, packets take up to \(group.jitterMilliseconds) ms"]
        self.generator = generator
    }

    func random(_ count: Int) -> Int { Int(generator.next() % UInt64(count)) }

    /// Within a handover, or long enough for several.
    func pause() -> Int { random(2) == 0 ? random(200) : random(2500) }

    func note(_ fault: String) { story.append("\(group.now): \(fault)") }

    func loseOneWay() {
        let from = random(group.hosts.count)
        let to = (from + 1 + random(group.hosts.count - 1)) % group.hosts.count
        let isWhole = random(2) == 0
        note("lose \(isWhole ? "all" : "advertisements") from \(from) to \(to)")
        group.lose(from: from, to: to, onlyAdvertisements: !isWhole)
    }

    func drainAnother() {
        let host = random(group.hosts.count)
        note(group.hosts[host].isDraining ? "drain \(host) no more" : "drain \(host)")
        group.drain(host, !group.hosts[host].isDraining)
    }

    /// Lets 12 s pass. After how many milliseconds each router had one owner for good.
    func settle() -> Int {
        var settled = 0
        for time in 1...12_000 {
            group.run(1)
            if !group.isSettled() { settled = time }
        }
        group.closeTimes()
        note("settled after \(settled) ms, contested \(group.longestContested) ms, ownerless \(group.longestOwnerless) ms")
        return settled
    }
}
