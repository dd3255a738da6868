import APISchema
import Lab
import Testing

/// Whole clouds: server, agents, keepalived, dnsmasq, packets.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct CloudTests {
    @Test("Instances on two hosts get their addresses by DHCP and reach each other, until one is deleted")
    func instances() async throws {
        try await withLab { lab in
            let (network, _) = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let first = try await lab.createInstance("vm1", host: "h1", network: "private")
            let second = try await lab.createInstance("vm2", host: "h2", network: network.text("id"))
            for instance in [first, second] {
                let shown = try await instance.place.output(["ip", "-oneline", "-4", "address", "show", "dev", "eth0"])
                #expect(shown.contains(" \(instance.address)/24 "))
            }
            try await lab.waitForReply(from: first.place, to: second.address)
            try await lab.waitForReply(from: second.place, to: first.address)

            try await lab.deleteInstance("vm2")
            #expect(try await lab.api.send("GET", "/v2.0/ports/\(second.portID)").status == 404)
            #expect(!second.place.isRunning)
            let links = try await lab.host("h2").place.output(["ip", "-brief", "link"])
            #expect(!links.contains(second.tapName))
            #expect(try await lab.probe(from: first.place, to: second.address, seconds: 0.3).received == 0)
        }
    }

    @Test("A failed instance leaves no port and no namespace behind")
    func failedInstance() async throws {
        try await withLab(hosts: 1) { lab in
            _ = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let ports = try await lab.api.list("ports", "device_owner=compute:nova").count
            await #expect(throws: LabError.self) { try await lab.createInstance("vm1", host: "h1", network: "none") }
            await #expect(throws: LabError.self) { try await lab.createInstance("vm1", host: "h9", network: "private") }
            await #expect(throws: LabError.self) { try await lab.createInstance("h1", host: "h1", network: "private") }
            #expect(try await lab.api.list("ports", "device_owner=compute:nova").count == ports)
            #expect(lab.instances.isEmpty)
        }
    }

    @Test(
        "Pings leave by SNAT from the router's address, and come in by a floating IP only when a rule allows them",
        arguments: [true, false])
    func outside(isHighlyAvailable: Bool) async throws {
        try await withLab { lab in
            let cloud = try await TestCloud(lab, isHighlyAvailable: isHighlyAvailable)
            let instance = try await lab.createInstance("vm1", host: "h1", network: "private")
            let observer = try EchoObserver(in: lab.outside)
            try await lab.waitForReply(from: instance.place, to: Underlay.outsideAddress, timeoutMilliseconds: 60_000)
            #expect(observer.sources() == [cloud.router.gatewayAddress])

            let floating = try await lab.api.create(
                "floatingips",
                ["floating_network_id": .string(try await lab.find("networks", "public")), "port_id": .string(instance.portID)])
            let address = try floating.text("floating_ip_address")
            try await waitUntil("the floating IP to be on a router", timeoutMilliseconds: 60_000) {
                try await !lab.hosts(withAddress: address, router: cloud.router.id).isEmpty
            }
            #expect(try await lab.probe(from: lab.outside, to: address, seconds: 0.5).received == 0)
            try await lab.allowPings(toPort: instance.portID)
            try await lab.waitForReply(from: lab.outside, to: address, timeoutMilliseconds: 60_000)
        }
    }

    @Test("A host that lost its power serves its instance again after it booted")
    func boot() async throws {
        try await withLab { lab in
            _ = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let first = try await lab.createInstance("vm1", host: "h1", network: "private")
            let second = try await lab.createInstance("vm2", host: "h2", network: "private")
            try await lab.waitForReply(from: first.place, to: second.address)
            try await lab.host("h2").fault(.power)
            #expect(try await lab.probe(from: first.place, to: second.address, seconds: 0.3).received == 0)
            try await lab.host("h2").heal()
            try await lab.waitForReply(from: first.place, to: second.address, timeoutMilliseconds: 60_000)
        }
    }

    @Test("A killed server loses nothing that it answered, and packets do not notice")
    func serverKilled() async throws {
        try await withLab { lab in
            _ = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let first = try await lab.createInstance("vm1", host: "h1", network: "private")
            let second = try await lab.createInstance("vm2", host: "h2", network: "private")
            let probe = try Probe.start(from: first.place, to: second.address)
            try await probe.waitUntilSteady()
            let last = try await lab.api.create("networks", ["name": "the last"]).text("id")
            try await lab.killServer()
            #expect(!lab.isServerRunning)
            try await lab.startServer()
            #expect(try await lab.api.show("networks", last)["name"] == "the last")
            // The agents follow the new server.
            let third = try await lab.createInstance("vm3", host: "h2", network: "private")
            try await lab.waitForReply(from: first.place, to: third.address)
            #expect(try await probe.stop().lost == 0)
        }
    }
}
