import APISchema

/// The steps of the demonstration, in their order. Each throws an ``UnmetExpectation``, or what went wrong, when it is not observed.
struct DemonstrationStory {
    let lab: Lab
    let narrator: Narrator

    private struct Cloud {
        var external: String
        var router: LabRouter

        var gatewayAddress: String { router.gatewayAddress }
    }

    func tell() async throws {
        narrator.say("server up at \(lab.endpoint)")
        try await hostsAppear()
        let cloud = try await buildCloud()
        try await instancesStart()
        try await instancesPingEachOther()
        let master = try await masterAppears(cloud, besides: nil)
        narrator.say("VRRP master of r1: \(master) (its router has \(cloud.gatewayAddress); the API says active)")
        // What is measured must not be on the host that is cut off.
        let instance = try lab.instance(try lab.instance("vm1").host == master ? "vm3" : "vm1")
        try await instanceReachesOutside(instance, cloud)
        let floating = try await floatingAddressWorks(instance, cloud)
        let successor = try await masterIsCutOff(master, instance: instance, floating: floating, cloud)
        try await hostReturns(master, successor: successor, instance: instance, floating: floating, cloud)
    }

    // MARK: Building

    private func hostsAppear() async throws {
        let names = lab.hosts.map(\.name)
        try await expect("a living L3 agent on each of \(names.joined(separator: ", "))", within: Demonstration.agentTimeoutMilliseconds) {
            let agents = try await lab.api.list("agents").filter { $0["alive"]?.boolValue == true }
            let hosts = Set(agents.filter { $0["agent_type"]?.stringValue == "L3 agent" }.compactMap { $0["host"]?.stringValue })
            return (hosts == Set(names), "L3 agents alive on: \(hosts.sorted().joined(separator: ", "))")
        }
        let count = try await lab.api.list("agents").count
        narrator.say("three hosts up: \(names.joined(separator: ", ")), each a namespace with its own agent (\(count) agents in the API)")
    }

    private func buildCloud() async throws -> Cloud {
        let external = try await lab.createExternalNetwork()
        narrator.say("external network 'public' (\(Underlay.outsidePrefix)) with the outside host \(Underlay.outsideAddress)")
        let (network, subnet) = try await lab.createNetwork("private", prefix: Demonstration.projectPrefix)
        let segment = network["provider:segmentation_id"]?.integerValue.map { ", VNI \($0)" } ?? ""
        narrator.say("project network 'private' (\(Demonstration.projectPrefix)\(segment))")
        let router = try await lab.createRouter("r1", externalNetwork: external, subnets: [subnet])
        guard !router.gatewayAddress.isEmpty else {
            throw UnmetExpectation(expected: "an external address of the router", seen: "none in the answer")
        }
        narrator.say("HA router 'r1' with gateway address \(router.gatewayAddress) and an interface in 'private'")
        return Cloud(external: external, router: router)
    }

    private func instancesStart() async throws {
        for (name, host) in [("vm1", "h1"), ("vm3", "h3")] {
            let instance = try await lab.createInstance(name, host: host, network: "private")
            let shown = try await instance.place.output(["ip", "-oneline", "-4", "address", "show", "dev", "eth0"])
            guard !instance.address.isEmpty, shown.contains(" \(instance.address)/") else {
                throw UnmetExpectation(expected: "\(name) to have \(instance.address) by DHCP", seen: shown.isEmpty ? "no address" : shown)
            }
            narrator.say("instance \(name) on \(host) got \(instance.address) by DHCP")
        }
    }

    private func instancesPingEachOther() async throws {
        let (first, second) = (try lab.instance("vm1"), try lab.instance("vm3"))
        for (from, to) in [(first, second), (second, first)] {
            try await lab.waitForReply(from: from.place, to: to.address)
            let report = try await lab.probe(from: from.place, to: to.address, seconds: 0.5)
            guard report.lost == 0 else {
                throw UnmetExpectation(expected: "\(from.name) to reach \(to.name) without loss", seen: report.json.text)
            }
            narrator.say("\(from.name) (\(from.host)) pings \(to.name) (\(to.host)) over VXLAN: \(report.sent) sent, none lost")
        }
    }

    private func instanceReachesOutside(_ instance: Instance, _ cloud: Cloud) async throws {
        let observer = try EchoObserver(in: lab.outside)
        try await lab.waitForReply(from: instance.place, to: Underlay.outsideAddress)
        let sources = observer.sources()
        guard sources == [cloud.gatewayAddress] else {
            throw UnmetExpectation(
                expected: "pings to arrive outside from the router's address \(cloud.gatewayAddress)",
                seen: "they came from \(sources.sorted().joined(separator: ", "))")
        }
        narrator.say("\(instance.name) reaches the outside host through SNAT: its pings arrive there from \(cloud.gatewayAddress)")
    }

    private func floatingAddressWorks(_ instance: Instance, _ cloud: Cloud) async throws -> String {
        let floating = try await lab.api.create(
            "floatingips", ["floating_network_id": .string(cloud.external), "port_id": .string(instance.portID)])
        let address = try floating.text("floating_ip_address")
        try await expect("the floating IP \(address) on the master", within: Demonstration.masterTimeoutMilliseconds) {
            let holders = try await lab.hosts(withAddress: address, router: cloud.router.id)
            return (holders.count == 1, holders.isEmpty ? "no router has it" : "routers on \(holders.joined(separator: ", ")) have it")
        }
        narrator.say("floating IP \(address) for \(instance.name)")

        let refused = try await lab.probe(from: lab.outside, to: address, seconds: 1)
        guard refused.received == 0 else {
            throw UnmetExpectation(expected: "no reply from \(address) before a rule allows it", seen: refused.json.text)
        }
        narrator.say("outside pings \(address): refused, \(refused.sent) sent, none answered (no security group rule allows it)")

        try await lab.allowPings(toPort: instance.portID)
        let start = MonotonicTime.nanoseconds
        let waited = Double(try await lab.waitForReply(from: lab.outside, to: address) - start) / 1_000_000
        narrator.say("a security group rule allows ICMP: \(address) answers outside, \(milliseconds(waited)) after the rule was created")
        return address
    }

    // MARK: Failover

    /// Waits until exactly one router holds the gateway address and the API agrees, and tells it.
    private func masterAppears(_ cloud: Cloud, besides old: String?) async throws -> String {
        var master = ""
        try await expect("one VRRP master", within: Demonstration.masterTimeoutMilliseconds) {
            let holders = try await lab.hosts(withAddress: cloud.gatewayAddress, router: cloud.router.id).filter { $0 != old }
            let active = try await lab.activeHosts(router: cloud.router.id).filter { $0 != old }
            master = holders.first ?? ""
            return (
                holders.count == 1 && active == holders,
                "the gateway address is on [\(holders.joined(separator: ", "))], the API says active: [\(active.joined(separator: ", "))]"
            )
        }
        return master
    }

    private func masterIsCutOff(_ master: String, instance: Instance, floating: String, _ cloud: Cloud) async throws -> String {
        let probes = try await startProbes(instance, floating)
        narrator.say("pings every 10 ms: \(instance.name) to outside, and outside to \(floating)")
        try await lab.host(master).fault(.uplink)
        narrator.say("\(master) is cut off: both uplinks down")
        let successor = try await masterAppears(cloud, besides: master)
        narrator.say("the router on \(successor) took over (it has the addresses; the API says active)")
        let gaps = try await stopProbes(probes)
        narrator.say("longest gap: \(milliseconds(gaps.outbound)) outbound, \(milliseconds(gaps.inbound)) inbound")
        return successor
    }

    /// The host that was cut off is still a master in its own eyes, so two masters meet: VRRP lets the one with the higher priority stay.
    private func hostReturns(_ host: String, successor: String, instance: Instance, floating: String, _ cloud: Cloud) async throws {
        let probes = try await startProbes(instance, floating)
        try await lab.host(host).heal()
        narrator.say("\(host) returns: both uplinks up")
        let master = try await masterAppears(cloud, besides: nil)
        let gaps = try await stopProbes(probes)
        let outcome =
            master == successor ? "\(master) stays master, \(host) is a backup" : "\(master) is master, \(successor) is a backup again"
        narrator.say("the two masters met and one is left: \(outcome)")
        narrator.say("longest gap while it returned: \(milliseconds(gaps.outbound)) outbound, \(milliseconds(gaps.inbound)) inbound")
    }

    private func startProbes(_ instance: Instance, _ floating: String) async throws -> (outbound: Probe, inbound: Probe) {
        let outbound = try Probe.start(from: instance.place, to: Underlay.outsideAddress)
        let inbound = try Probe.start(from: lab.outside, to: floating)
        try await outbound.waitUntilSteady(replies: 50)
        try await inbound.waitUntilSteady(replies: 50)
        return (outbound, inbound)
    }

    private func stopProbes(_ probes: (outbound: Probe, inbound: Probe)) async throws -> (outbound: Double, inbound: Double) {
        try await probes.outbound.waitUntilSteady(replies: 100)
        try await probes.inbound.waitUntilSteady(replies: 100)
        async let outbound = probes.outbound.stop()
        async let inbound = probes.inbound.stop()
        return (try await outbound.longestGapMilliseconds, try await inbound.longestGapMilliseconds)
    }

    // MARK: Looking

    /// Asks until it is so; what was seen last is part of the error.
    private func expect(
        _ expectation: String, within timeoutMilliseconds: Int, _ look: () async throws -> (isMet: Bool, seen: String)
    ) async throws {
        var seen = "nothing"
        do {
            try await waitUntil(expectation, timeoutMilliseconds: timeoutMilliseconds) {
                let (isMet, now) = try await look()
                seen = now
                return isMet
            }
        } catch is LabError {
            throw UnmetExpectation(expected: "\(expectation) within \(timeoutMilliseconds / 1000) s", seen: seen)
        }
    }
}
