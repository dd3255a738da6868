import Glibc
import Lab
import Testing

/// The places and the wires of a lab, without server and agents.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct PlacesTests {
    @Test("Hosts reach each other over the underlay, and the outside host over the physical network")
    func wires() async throws {
        try await withLab(startsServices: false) { lab in
            try await addPhysicalAddresses(lab)
            let first = try lab.place("h1")
            try await lab.waitForReply(from: first, to: lab.address(of: "h2"))
            try await lab.waitForReply(from: first, to: lab.address(of: "outside"))
            try await lab.waitForReply(from: lab.outside, to: "203.0.113.12")
        }
    }

    @Test("The namespaces that a host names are its own")
    func privateNames() async throws {
        try await withLab(startsServices: false) { lab in
            let (first, second) = (try lab.place("h1"), try lab.place("h2"))
            try await first.output(["ip", "netns", "add", "lab-test-name"])
            #expect(try await first.output(["ip", "netns", "list"]).contains("lab-test-name"))
            #expect(try await !second.output(["ip", "netns", "list"]).contains("lab-test-name"))
            #expect(access("/run/netns/lab-test-name", F_OK) != 0)
            #expect(try await first.output(["hostname"]) == "h1\n")
        }
    }

    @Test("Two labs at once have the same addresses and do not see each other")
    func twoLabs() async throws {
        try await withLab(hosts: 1, startsServices: false) { small in
            try await withLab(hosts: 2, startsServices: false) { large in
                try await large.waitForReply(from: large.place("h1"), to: "192.0.2.2")
                let report = try await small.probe(from: small.place("h1"), to: "192.0.2.2", seconds: 0.2)
                #expect(report.received == 0)
                #expect(Set(Lab.names()).isSuperset(of: [small.name, large.name]))
            }
            // The end of one leaves the other alone.
            try await small.waitForReply(from: small.place("h1"), to: "192.0.2.254")
        }
    }

    @Test("A cut uplink loses what a host sends and receives, and healing ends that")
    func uplinkFault() async throws {
        try await withLab(startsServices: false) { lab in
            try await addPhysicalAddresses(lab)
            let (host, peer) = (try lab.host("h2"), try lab.place("h1"))
            let probes = [
                try Probe.start(from: peer, to: "192.0.2.2"), try Probe.start(from: lab.outside, to: "203.0.113.12"),
                try Probe.start(from: host.place, to: "192.0.2.1"),
            ]
            for probe in probes { try await probe.waitUntilSteady() }
            try await host.fault(.uplink)
            #expect(!host.isConnected)
            let answered = probes.map(\.report.received)
            try await waitUntil("requests to stay unanswered", timeoutMilliseconds: 20_000) { probes.allSatisfy { $0.report.lost > 50 } }
            // At most what was on its way.
            for (probe, before) in zip(probes, answered) { #expect(probe.report.received <= before + 2) }
            try await host.heal()
            #expect(host.isConnected)
            for probe in probes { try await probe.waitUntilSteady() }
            for probe in probes {
                // Not what was lost: the sender's kernel may keep requests until it can resolve the neighbour again.
                #expect(try await probe.stop().longestGapMilliseconds > 50 * 10)
            }
        }
    }

    @Test("A host that lost its power runs nothing, and boots without the devices, namespaces and rules that it had")
    func powerFault() async throws {
        try await withLab(startsServices: false) { lab in
            let host = try lab.host("h1")
            try await host.place.output([
                "sh", "-c", "ip netns add old && ip link add brq-old type bridge && nft add table inet old && ip -n old link set lo up",
            ])
            try await host.place.start(["sleep", "12345"], log: "/dev/null")
            try await host.fault(.power)
            #expect(!host.isConnected)
            // They stand still; when the host boots, they are gone.
            func sleepers() async throws -> [String] {
                try await host.place.output(["ps", "ax", "-o", "stat,args"]).split(separator: "\n").map(String.init)
                    .filter { $0.hasSuffix("sleep 12345") }
            }
            let stopped = try await sleepers()
            #expect(stopped.count == 1 && stopped.allSatisfy { $0.hasPrefix("T") }, "\(stopped)")
            try await host.heal()
            #expect(try await sleepers().isEmpty)
            #expect(host.isConnected)
            #expect(try await host.place.output(["ip", "netns", "list"]).isEmpty)
            #expect(try await host.place.output(["nft", "list", "tables"]).isEmpty)
            let links = try await host.place.output(["ip", "-brief", "link"])
            #expect(!links.contains("brq-old") && links.contains("eth0") && links.contains("eth1"))
            try await lab.waitForReply(from: host.place, to: "192.0.2.2")
        }
    }

    @Test("What is left of a lab whose processes were killed is found and removed")
    func remains() async throws {
        var configuration = Lab.Configuration(name: "test-\(UInt32.random(in: 0...UInt32.max))", hosts: 2)
        configuration.startsServices = false
        let lab = try await Lab.up(configuration)
        // One of the places dies, as in a crash; the state file is lost, too.
        let host = try lab.place("h1")
        kill(host.processID, SIGKILL)
        unlink("\(lab.stateDirectory)/lab.json")
        #expect(throws: LabError.self) { try Lab.open(name: lab.name) }
        #expect(Lab.names().contains(lab.name))
        try await Lab.down(name: lab.name)
        #expect(!Lab.names().contains(lab.name))
        #expect(access(lab.stateDirectory, F_OK) != 0)
        // Once more: nothing to do is no error.
        try await Lab.down(name: lab.name)
    }

    @Test("A lab's state can be kept in a directory of the user's, which must be empty")
    func stateDirectory() async throws {
        var template = Array("/tmp/neutrino-lab-test-XXXXXX".utf8CString)
        let made = try #require(mkdtemp(&template))
        let directory = String(cString: made)
        var configuration = Lab.Configuration(name: "test-\(UInt32.random(in: 0...UInt32.max))", hosts: 1)
        configuration.startsServices = false
        configuration.stateDirectory = directory
        let lab = try await Lab.up(configuration)
        #expect(access("\(directory)/lab.json", F_OK) == 0)
        #expect(try Lab.open(name: lab.name).stateDirectory == lab.stateDirectory)
        configuration.name += "-second"
        await #expect(throws: LabError.self) { try await Lab.up(configuration) }
        try await lab.down()
        #expect(access(directory, F_OK) != 0)
    }

    @Test("A name that is taken, a bad name, too many hosts: a sentence, and nothing changed")
    func refusals() async throws {
        try await withLab(hosts: 1, startsServices: false) { lab in
            var configuration = Lab.Configuration(name: lab.name, hosts: 1)
            configuration.startsServices = false
            await #expect(throws: LabError.self) { try await Lab.up(configuration) }
            // The lab that was there goes on.
            try await lab.waitForReply(from: lab.place("h1"), to: "192.0.2.254")
            for name in ["", "A", "a/b", "../x", "-x"] {
                await #expect(throws: LabError.self) { try await Lab.up(Lab.Configuration(name: name)) }
            }
            await #expect(throws: LabError.self) { try await Lab.up(Lab.Configuration(name: "x", hosts: 0)) }
            await #expect(throws: LabError.self) { try await Lab.up(Lab.Configuration(name: "x", hosts: 201)) }
        }
    }
}
