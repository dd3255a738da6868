import APISchema
import Foundation
import Lab
import Testing

/// Layer 2 as hypervisors and instances see it.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct SwitchingTests {
    @Test("A tap that appears is wired at once, and the bridge and tap that Nova made while no agent ran are taken over as they are")
    func taps() async throws {
        try await withLab(hosts: 1) { lab in
            let (network, _) = try await lab.createNetwork("private", prefix: "10.0.0.0/24", hasDHCP: false)
            let networkID = try network.text("id")
            let bridge = "brq" + networkID.prefix(11)
            let host = try lab.host("h1")

            // Nova only makes the tap.
            let first = try await lab.boundPort(network: networkID, host: "h1")
            try await host.place.output(["ip", "tuntap", "add", "dev", first.tap, "mode", "tap"])
            try await host.waitForMaster(of: first.tap, bridge)
            try await lab.waitForStatus("ACTIVE", ofPort: first.id)
            let shown = try await host.place.output(["ip", "-oneline", "link", "show", "dev", first.tap])
            #expect(shown.contains(" mtu \(network["mtu"]?.integerValue ?? 0) ") && shown.contains(",UP"))
            // The instance is gone, and comes again.
            try await host.place.output(["ip", "link", "delete", first.tap])
            try await lab.waitForStatus("DOWN", ofPort: first.id)
            try await host.place.output(["ip", "tuntap", "add", "dev", first.tap, "mode", "tap"])
            try await lab.waitForStatus("ACTIVE", ofPort: first.id)

            // Nova makes the bridge as well, plugs the tap in, and the agent comes later.
            let (other, _) = try await lab.createNetwork("other", prefix: "10.1.0.0/24", hasDHCP: false)
            let otherBridge = "brq" + (try other.text("id").prefix(11))
            try await host.endAgent()
            let second = try await lab.boundPort(network: other.text("id"), host: "h1")
            for command in [
                ["link", "add", otherBridge, "type", "bridge", "mcast_snooping", "1"], ["link", "set", otherBridge, "up"],
                ["tuntap", "add", "dev", second.tap, "mode", "tap"], ["link", "set", second.tap, "master", otherBridge, "up"],
            ] { try await host.place.output(["ip"] + command) }
            let numbers = ["/sys/class/net/\(otherBridge)/ifindex", "/sys/class/net/\(second.tap)/ifindex"]
            let before = try await host.place.output(["cat"] + numbers)
            try await host.startAgent()
            try await lab.waitForStatus("ACTIVE", ofPort: second.id)
            #expect(try await host.place.output(["cat"] + numbers) == before)
            #expect(try await host.place.output(["ip", "-brief", "link", "show", "master", otherBridge]).contains("vxlan-"))
            let options = try await host.place.output(["ip", "-details", "link", "show", "dev", otherBridge])
            for option in ["mcast_snooping 0 ", "stp_state 0 ", "forward_delay 0 ", "no_linklocal_learn 1 ", "group_fwd_mask 0x4000 "] {
                #expect(options.contains(option), "\(option): \(options)")
            }
        }
    }

    @Test("Known ports are neither asked for nor flooded to hosts that have nothing to do with them, and the MTU is everywhere")
    func forwarding() async throws {
        try await withLab(hosts: 3) { lab in
            let network = try await lab.api.create("networks", ["name": "private", "mtu": 1400])
            let networkID = try network.text("id")
            _ = try await lab.api.create(
                "subnets", ["network_id": .string(networkID), "ip_version": 4, "cidr": "10.0.0.0/24", "name": "private-v4"])
            var instances: [Instance] = []
            for number in 1...3 { instances.append(try await lab.createInstance("vm\(number)", host: "h\(number)", network: "private")) }
            for instance in instances {
                let shown = try await instance.place.output(["ip", "-oneline", "link", "show", "dev", "eth0"])
                #expect(shown.contains(" mtu 1400 "), "by DHCP: \(shown)")
            }
            let third = try lab.host("h3")
            let bridge = "brq" + networkID.prefix(11)
            let ports = try await third.place.output(["ip", "-brief", "link", "show", "master", bridge])
            let tunnel = String(ports.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("vxlan-") } ?? "")
            for device in [bridge, tunnel, instances[2].tapName] {
                #expect(try await third.place.output(["cat", "/sys/class/net/\(device)/mtu"]) == "1400\n", "\(device)")
            }
            for instance in instances.dropFirst() { try await lab.waitForReply(from: instances[0].place, to: instance.address) }

            // The first asks anew who the second is, and speaks with it: nothing of it reaches the third host. What nobody knows does.
            let log = "\(lab.stateDirectory)/third-host.log"
            try await third.place.start(["tcpdump", "-l", "-n", "-i", tunnel, "arp or icmp"], log: log)
            func heard(_ word: String) -> Bool { (try? String(contentsOfFile: log, encoding: .utf8))?.contains(word) == true }
            try await waitUntil("tcpdump to listen", timeoutMilliseconds: 20_000) { heard("listening on") }
            try await instances[0].place.output(["ip", "neighbour", "flush", "dev", "eth0"])
            #expect(try await lab.probe(from: instances[0].place, to: instances[1].address, seconds: 0.5).lost == 0)
            _ = try await instances[0].place.run(["ping", "-c", "1", "-W", "1", "10.0.0.250"])
            try await waitUntil("the third host to be asked", timeoutMilliseconds: 20_000) { heard("who-has 10.0.0.250") }
            // (The DHCP server may be on the third host, and asks whether its clients are still there.)
            #expect(!heard("who-has \(instances[1].address) tell \(instances[0].address)") && !heard("ICMP"))

            // An MTU that changes does so on every device; instances hear of it with their next lease.
            _ = try await lab.api.update("networks", networkID, ["mtu": 1300])
            for device in [bridge, tunnel, instances[2].tapName] {
                try await waitUntil("the MTU of \(device) to be 1300", timeoutMilliseconds: 20_000) {
                    try await third.place.output(["cat", "/sys/class/net/\(device)/mtu"]) == "1300\n"
                }
            }
            try await lab.configureByDHCP(instances[2])
            #expect(try await instances[2].place.output(["cat", "/sys/class/net/eth0/mtu"]) == "1300\n")
        }
    }

    @Test("A port that moves to another host is followed by all, by an activated binding and by a changed host")
    func moves() async throws {
        try await withLab(hosts: 3) { lab in
            let (network, _) = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let observer = try await lab.createInstance("vm3", host: "h3", network: "private")
            let moving = try await lab.boundPort(network: network.text("id"), host: "h1")
            let port = try await lab.api.show("ports", moving.id)
            let address = try port["fixed_ips"]?.arrayValue?.first?.text("ip_address") ?? ""
            // The instance's two selves.
            for host in ["h1", "h2"] {
                let place = try lab.host(host).place
                try await place.output(["ip", "netns", "add", "self"])
                try await place.output([
                    "ip", "link", "add", moving.tap, "up", "type", "veth", "peer", "name", "eth0", "netns", "self", "address",
                    try port.text("mac_address"),
                ])
                try await place.output(["ip", "-n", "self", "address", "add", "\(address)/24", "dev", "eth0"])
            }
            try await lab.setSelf(on: "h1", isUp: true)
            try await lab.waitForReply(from: observer.place, to: address)

            let bindings = "/v2.0/ports/\(moving.id)/bindings"
            try await lab.api.call("POST", bindings, ["binding": ["host": "h2"]])
            let bridge = "brq" + (try network.text("id").prefix(11))
            try await lab.host("h2").waitForMaster(of: moving.tap, bridge)
            #expect(try await lab.api.show("ports", moving.id)["status"] == "ACTIVE", "until it moves it is where it was")
            try await lab.setSelf(on: "h1", isUp: false)
            try await lab.setSelf(on: "h2", isUp: true)
            try await lab.api.call("PUT", "\(bindings)/h2/activate")
            try await lab.waitForReply(from: observer.place, to: address)
            try await lab.waitForStatus("ACTIVE", ofPort: moving.id)
            try await lab.api.call("DELETE", "\(bindings)/h1")

            try await lab.setSelf(on: "h2", isUp: false)
            try await lab.setSelf(on: "h1", isUp: true)
            _ = try await lab.api.update("ports", moving.id, ["binding:host_id": "h1"])
            try await lab.waitForReply(from: observer.place, to: address)
            try await waitUntil("h2 to let go of the device", timeoutMilliseconds: 20_000) {
                try await !lab.host("h2").place.output(["ip", "-oneline", "link", "show", "dev", moving.tap]).contains(" master ")
            }
        }
    }
}

extension Lab {
    /// A port that Nova would plug an instance into on the host.
    fileprivate func boundPort(network: String, host: String) async throws -> (id: String, tap: String) {
        let id = try await api.create(
            "ports",
            [
                "network_id": .string(network), "binding:host_id": .string(host), "device_owner": "compute:nova",
                "device_id": "6a1c5d6e-8f3b-4c0d-9c56-2f1f5b3b7a10",
            ]
        ).text("id")
        return (id, "tap" + id.prefix(11))
    }

    fileprivate func waitForStatus(_ status: String, ofPort id: String) async throws {
        try await waitUntil("port \(id) to be \(status)", timeoutMilliseconds: 20_000) {
            try await api.show("ports", id)["status"]?.stringValue == status
        }
    }

    fileprivate func setSelf(on host: String, isUp: Bool) async throws {
        try await self.host(host).place.output(["ip", "-n", "self", "link", "set", "eth0", isUp ? "up" : "down"])
    }
}

extension LabHost {
    fileprivate func waitForMaster(of device: String, _ bridge: String) async throws {
        try await waitUntil("\(device) to be in \(bridge) on \(name)", timeoutMilliseconds: 20_000, intervalMilliseconds: 20) {
            try await place.output(["ip", "-oneline", "link", "show", "dev", device]).contains(" master \(bridge) ")
        }
    }
}
