import Testing

@testable import Election

/// Combinations of faults that once had two masters, or none, for longer than they must; and many more of their kind.
@Suite("Faults come together")
struct AdversaryTests {
    // MARK: - Links that lose one direction

    /// The first candidate, whom the master does not hear, took over for an interval and was thrown down again: the next try was 10 s later.
    @Test("A master hands over to a member that it hears, though a better one hears it", arguments: 1...5)
    func unheardCandidate(seed: Int) throws {
        let group = SimulatedGroup(hosts: 3, routers: 5, seed: UInt64(seed))
        group.startAndSettle()
        group.lose(from: 1, to: 0)
        group.run(1500 + 100 * seed)
        group.drain(0)
        #expect(group.run(limit: 1500) { group.isSettled(on: 2) } != nil)
        group.run(1000)
        group.heal()
        group.run(15_000)
        group.closeTimes()
        #expect(group.isSettled(on: 2))
        #expect(group.longestContested <= 60)
        #expect(group.longestOwnerless == 0)
    }

    @Test("A master hands over to a member that hears it without waiting for a better one that does not")
    func deafCandidate() throws {
        let group = SimulatedGroup(hosts: 3, routers: 5)
        group.startAndSettle()
        group.lose(from: 0, to: 1)
        group.run(2000)
        group.drain(0)
        #expect(group.run(limit: 1200) { group.isSettled(on: 2) } != nil)
        #expect(group.longestOwnerless == 0)
    }

    /// A claim from before the silence threw the present master down.
    @Test("What a host said before it fell silent decides nothing when it is heard again", arguments: 1...20)
    func outdatedClaim(seed: Int) throws {
        let group = SimulatedGroup(hosts: 2, routers: 5, seed: UInt64(seed))
        group.startAndSettle()
        group.drain(0)
        group.run(2500)
        #expect(group.isSettled(on: 1))
        group.lose(from: 1, to: 0)
        group.run(2500)
        #expect(group.isSettled(on: 0))
        group.forgetTimes()
        group.heal()
        group.run(5000)
        group.closeTimes()
        #expect(group.isSettled(on: 1))
        #expect(group.longestOwnerless == 0)
        #expect(group.longestContested <= 60)
    }

    /// Both asked for a successor and neither counted as the other's.
    @Test("A successor that shall leave as well does so when its predecessor has gone", arguments: 0...12)
    func drainOfSuccessor(step: Int) throws {
        let group = SimulatedGroup(hosts: 3)
        group.startAndSettle()
        group.drain(0)
        _ = try #require(group.run(limit: 2000) { group.owners(0).contains(1) })
        group.run(5 * step)
        group.drain(1)
        group.run(5000)
        group.closeTimes()
        #expect(group.isSettled(on: 2))
        #expect(group.longestOwnerless == 0)
        #expect(group.longestContested <= 60)
    }

    @Test("Drains on links that lose one direction end with the faults: one master, and never none", arguments: 1...30)
    func oneWay(seed: Int) {
        let adversary = Adversary(seed: seed)
        let group = adversary.group
        group.startAndSettle()
        for _ in 0..<(1 + adversary.random(4)) {
            switch adversary.random(2) {
            case 0: adversary.loseOneWay()
            default: adversary.drainAnother()
            }
            group.run(adversary.pause())
        }
        group.forgetTimes()
        group.heal()
        group.jitterMilliseconds = 1
        let settled = adversary.settle()
        #expect(settled <= 2500, "\(adversary.story)")
        #expect(group.longestContested <= 110, "\(adversary.story)")
        #expect(group.longestOwnerless == 0, "\(adversary.story)")
    }
}
