import KernelInterface
import Testing

@testable import KernelLinux

// What others make in a namespace, or change of what the agent made.
extension RealKernelTests {
    @Test("A device whose name is bytes and no text is passed over; those beside it are found")
    func nameWithoutText() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            let namespace = names[0]
            try kernel.perform(.addLink(Link(name: "br", kind: .bridge), namespace))
            // Each octet reads as U+FFFD, which has three.
            let script = #"ip link add "$(printf '\377\377\377\377\377\377')" type bridge"#
            let result = try runProgram(["sh", "-c", script], namespace: namespace, timeoutMilliseconds: 5000)
            #expect(result.exitCode == 0, "\(result)")
            #expect(try kernel.links(in: namespace).map(\.name).sorted() == ["br", "lo"])
        }
    }

    @Test("What somebody sets of a bridge is found, in the words of ip, and a change of the bridge takes it away")
    func bridgeOptions() throws {
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            let made = Link(name: "br", kind: .bridge, alias: "neutrino:bridge")
            try kernel.perform(.addLink(made, names[0]))
            func bridge() throws -> Link { try #require(try kernel.links(in: names[0]).first { $0.name == "br" }) }
            let before = try bridge()
            #expect(before.alterations == [])
            func set(_ words: String) throws -> Bool {
                let command = ["ip", "link", "set", "dev", "br", "type", "bridge"] + words.split(separator: " ").map(String.init)
                return try runProgram(command, namespace: names[0], timeoutMilliseconds: 5000).exitCode == 0
            }
            // Kernels without br_netfilter, without VLAN filtering or before Linux 6.8 do not know them.
            let perhaps = ["nf_call_iptables 1", "nf_call_ip6tables 1", "nf_call_arptables 1", "vlan_filtering 1", "fdb_max_learned 7"]
            let known = try perhaps.filter { option in
                let isKnown = try set(option) && !bridge().alterations.isEmpty
                try kernel.perform(.changeLink(made, names[0]))
                return isKnown
            }
            let options = [
                "ageing_time 100", "ageing_time 0", "forward_delay 200", "group_fwd_mask 0x8", "mcast_snooping 1", "no_linklocal_learn 0",
            ]
            for option in options + known {
                #expect(try set(option), "\(option)")
                #expect(try bridge().alterations == [option])
                try kernel.perform(.changeLink(made, names[0]))
                #expect(try bridge() == before, "\(option)")
            }
            // With a spanning tree there is a delay.
            #expect(try set("stp_state 1 ageing_time 100"))
            #expect(try bridge().alterations == ["ageing_time 100", "forward_delay 200", "stp_state 1"])
            try kernel.perform(.changeLink(made, names[0]))
            #expect(try bridge() == before)
        }
    }
}
