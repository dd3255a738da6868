import Glibc
import Lab
import Testing

/// What faults do to a host and its links, without server and agents, and that healing ends each of them.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct FaultTests {
    @Test("One-way loss takes what a host sends or what it receives, and leaves the other direction alone", arguments: [true, false])
    func oneWayLoss(isOfSent: Bool) async throws {
        try await withLab(startsServices: false) { lab in
            let (host, peer) = (try lab.host("h1"), try lab.place("h2"))
            // Before the fault, so that nobody needs ARP, which takes both directions.
            try await lab.waitForReply(from: host.place, to: "192.0.2.2")
            for (place, address, mac) in [(host.place, "192.0.2.2", peer), (peer, "192.0.2.1", host.place)] {
                let link = try await mac.output(["cat", "/sys/class/net/eth0/address"]).filter { $0 != "\n" }
                try await place.output(["ip", "neighbour", "replace", address, "lladdr", link, "dev", "eth0", "nud", "permanent"])
            }
            try await host.fault(.loss, .loss(isOfSent ? .sent : .received))
            let atHost = try EchoObserver(in: host.place)
            let atPeer = try EchoObserver(in: peer)
            let fromHost = try Probe.start(from: host.place, to: "192.0.2.2")
            let fromPeer = try Probe.start(from: peer, to: "192.0.2.1")
            try await waitUntil("pings to be sent", timeoutMilliseconds: 20_000) {
                min(fromHost.report.sent, fromPeer.report.sent) > 50
            }
            #expect(fromHost.report.received == 0 && fromPeer.report.received == 0)
            let (seenByHost, seenByPeer) = (atHost.sources(), atPeer.sources())
            #expect(seenByHost == (isOfSent ? ["192.0.2.2"] : []))
            #expect(seenByPeer == (isOfSent ? [] : ["192.0.2.1"]))
            try await host.heal()
            for probe in [fromHost, fromPeer] { try await probe.waitUntilSteady() }
            for probe in [fromHost, fromPeer] { probe.cancel() }
        }
    }

    @Test("Of a link that loses a share, some frames arrive and some do not; the host's other link loses none")
    func partialLoss() async throws {
        try await withLab(startsServices: false) { lab in
            try await addPhysicalAddresses(lab)
            let host = try lab.host("h1")
            try await lab.waitForReply(from: host.place, to: "192.0.2.2")
            try await lab.waitForReply(from: host.place, to: Underlay.outsideAddress)
            try await host.fault(.loss, .loss(percent: 40, .both))
            let underlay = try Probe.start(from: host.place, to: "192.0.2.2", intervalMilliseconds: 5)
            let physical = try Probe.start(from: host.place, to: Underlay.outsideAddress, intervalMilliseconds: 5)
            try await waitUntil("both kinds of pings", timeoutMilliseconds: 60_000) {
                underlay.report.received > 20 && underlay.report.lost > 20
            }
            #expect(try await physical.stop().lost == 0)
            try await host.heal()
            try await underlay.waitUntilSteady(replies: 100)
            underlay.cancel()
        }
    }

    @Test("What passes a delayed link waits that long in each direction, arrives whole, and does not wait any more after healing")
    func delay() async throws {
        try await withLab(startsServices: false) { lab in
            let host = try lab.host("h1")
            try await lab.waitForReply(from: host.place, to: "192.0.2.2")
            var options = FaultOptions()
            options.delayMilliseconds = 40
            options.jitterMilliseconds = 10
            options.reorderPercent = 10
            options.lossPercent = 1
            try await host.fault(.delay, options)
            // What is reordered does not wait; of several at once some do.
            let slow = try await roundTrips(lab, count: 20)
            #expect(slow.count { $0 >= 60 } >= 5, "a round trip waits 30 ms or more twice: \(slow)")
            let transfer = try await Transfer.start(.upload, from: host.place, to: lab.place("h2"), at: "192.0.2.2")
            #expect(try await transfer.goesOn(), "\(transfer.failure ?? "stalled")")
            try await host.heal()
            #expect(try await transfer.goesOn())
            transfer.stop()
            let links = try await lab.place("fabric").output(["ip", "-brief", "link"])
            #expect(!links.contains("h1-under-"))
            let fast = try await roundTrips(lab, count: 20)
            #expect(fast.contains { $0 < 60 }, "\(fast)")
        }
    }

    /// Milliseconds from the start of a ping to its reply.
    private func roundTrips(_ lab: Lab, count: Int) async throws -> [Double] {
        var times: [Double] = []
        for _ in 0..<count {
            let start = MonotonicTime.nanoseconds
            // One request only: the next would be due after a second.
            let reply = try await lab.waitForReply(from: lab.place("h1"), to: "192.0.2.2", intervalMilliseconds: 1000)
            times.append(Double(reply - start) / 1_000_000)
        }
        return times
    }

    @Test("A delayed link can be cut and comes back, and a later fault of the link takes the place of an earlier one")
    func faultsOfOneLink() async throws {
        try await withLab(startsServices: false) { lab in
            let host = try lab.host("h1")
            let probe = try Probe.start(from: lab.place("h2"), to: "192.0.2.1")
            try await probe.waitUntilSteady()
            try await host.fault(.delay)
            try await probe.waitUntilSteady()
            try await host.fault(.uplink)
            let lost = probe.report.lost
            try await waitUntil("pings to be lost", timeoutMilliseconds: 20_000) { probe.report.lost > lost + 50 }
            try await host.heal()
            try await probe.waitUntilSteady()
            try await host.fault(.delay)
            try await host.fault(.loss)
            let received = probe.report.received
            let sent = probe.report.sent
            try await waitUntil("pings to be sent", timeoutMilliseconds: 20_000) { probe.report.sent > sent + 100 }
            // At most what was on its way.
            #expect(probe.report.received <= received + 20)
            try await host.heal()
            try await probe.waitUntilSteady()
            probe.cancel()
        }
    }

    @Test("A partition of the control network cuts a host off the server's address and from nothing else")
    func control() async throws {
        try await withLab(startsServices: false) { lab in
            let host = try lab.host("h1")
            try await lab.waitForReply(from: host.place, to: Underlay.controlAddress)
            try await host.fault(.control)
            #expect(try await lab.probe(from: host.place, to: Underlay.controlAddress, seconds: 0.5).received == 0)
            #expect(try await lab.probe(from: lab.place("h2"), to: Underlay.controlAddress, seconds: 0.5).received > 0)
            try await lab.waitForReply(from: host.place, to: "192.0.2.2")
            try await host.heal()
            try await lab.waitForReply(from: host.place, to: Underlay.controlAddress)
        }
    }

    @Test("A full disk is full for its host only, and has what it had before after healing")
    func disk() async throws {
        try await withLab(startsServices: false) { lab in
            let (host, other) = (try lab.host("h1"), try lab.host("h2"))
            let (file, fresh) = ("\(host.stateDirectory)/kept", "\(host.stateDirectory)/fresh")
            try await host.place.output(["sh", "-c", "echo kept > \(file)"])
            try await host.fault(.disk)
            #expect(try await host.place.run(["sh", "-c", "echo fresh > \(fresh)"]).exitCode != 0)
            #expect(try await host.place.output(["cat", file]) == "kept\n")
            #expect(try await other.place.run(["sh", "-c", "echo other > \(other.stateDirectory)/other"]).exitCode == 0)
            #expect(access(file, F_OK) != 0, "the host's disk is its own")
            try await host.heal()
            #expect(try await host.place.run(["sh", "-c", "echo fresh > \(fresh)"]).exitCode == 0)
            #expect(try await host.place.output(["cat", file]) == "kept\n")
        }
    }

    @Test("What cannot happen is refused with a sentence: percentages, delays, processes that are not there")
    func refusals() async throws {
        try await withLab(hosts: 1, startsServices: false) { lab in
            let host = try lab.host("h1")
            await #expect(throws: LabError.self) { try await host.fault(.loss, .loss(percent: 101, .both)) }
            var options = FaultOptions()
            options.jitterMilliseconds = options.delayMilliseconds + 1
            await #expect(throws: LabError.self) { try await host.fault(.delay, options) }
            for fault in [Fault.agentHang, .keepalivedHang, .clock] {
                await #expect(throws: LabError.self) { try await host.fault(fault) }
            }
            // Healing what has no fault changes nothing.
            try await host.heal()
            try await lab.waitForReply(from: host.place, to: Underlay.controlAddress)
        }
    }
}
