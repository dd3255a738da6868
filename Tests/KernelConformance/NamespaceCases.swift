import Addressing
import KernelInterface

extension KernelConformance {
    static let namespaceCases = [
        Case(description: "Namespaces come and go, once each") { subject in
            let kernel = subject.kernel
            try subject.expect(try kernel.namespaces().isSuperset(of: [subject.first, subject.second]), "both are listed")
            try subject.expectRefusal(.addNamespace(subject.first), code: ErrorCode.exists)
            try kernel.perform(.removeNamespace(subject.first))
            try subject.expect(try !kernel.namespaces().contains(subject.first), "it is gone")
            try subject.expectRefusal(.removeNamespace(subject.first), code: ErrorCode.noSuchFile)
            try subject.expectRefusal(.addLink(Link(name: "brq-one", kind: .bridge), subject.first), code: ErrorCode.noSuchFile)
            do throws(KernelError) {
                _ = try kernel.links(in: subject.first)
            } catch {
                try subject.expect(error.code == ErrorCode.noSuchFile, "a namespace that is gone has no links: \(error)")
                return
            }
            throw Failure(description: "a namespace that is gone must not be listed")
        },
        Case(description: "A new namespace holds the loopback device, up, and nothing else") { subject in
            let links = try subject.kernel.links(in: subject.first)
            try subject.expect(links.map(\.name) == ["lo"] && links.map(\.isUp) == [true], "found \(links)")
            try subject.expect(links.map(\.kind) == [.foreign], "the loopback device is the kernel's own")
            try subject.expect(try subject.kernel.addresses(in: subject.first).isEmpty, "addresses of host scope are left out")
        },
        Case(description: "A namespace takes its links and their other ends along") { subject in
            let veth = Link(name: "tap-one", kind: .veth(peer: "qr-one", peerNamespace: subject.second))
            try subject.kernel.perform(.addLink(veth, subject.first))
            try subject.kernel.perform(.removeNamespace(subject.second))
            try subject.eventually("the other end goes with the namespace") { try !subject.hasLink("tap-one", in: subject.first) }
        },
        Case(description: "A namespace that is made again under its name is empty") { subject in
            let kernel = subject.kernel
            try kernel.perform(.addLink(Link(name: "brq-one", kind: .bridge), subject.first))
            try kernel.perform(.removeNamespace(subject.first))
            try kernel.perform(.addNamespace(subject.first))
            try subject.expect(try !subject.hasLink("brq-one", in: subject.first), "nothing of the old one is left")
        },
        Case(description: "A sysctl changes in its namespace only") { subject in
            let kernel = subject.kernel
            let path = "net/ipv4/ip_forward"
            try kernel.perform(.setSysctl(path: path, value: "0", subject.second))
            try kernel.perform(.setSysctl(path: path, value: "1", subject.first))
            try subject.expect(try kernel.sysctl(path, in: subject.first) == "1", "it is set in its namespace")
            try subject.expect(try kernel.sysctl(path, in: subject.second) == "0", "it is not set in another")
            try subject.expectRefusal(.setSysctl(path: "net/ipv4/no_such_value", value: "1", subject.first), code: ErrorCode.noSuchFile)
        },
        Case(description: "A firewall script makes tables in its namespace and changes the generation") { subject in
            let kernel = subject.kernel
            let before = try kernel.firewallGeneration(in: subject.first)
            let script = """
                table inet neutrino_a {
                  chain one {
                    type filter hook forward priority filter; policy accept;
                    ip saddr 192.0.2.1 drop
                  }
                }
                table bridge neutrino_b {
                  set ports {
                    type ifname
                  }
                }

                """
            try kernel.perform(.applyFirewall(script: script, subject.first))
            let tables = try kernel.firewallTables(in: subject.first)
            try subject.expect(tables == ["inet neutrino_a", "bridge neutrino_b"], "found \(tables)")
            let after = try kernel.firewallGeneration(in: subject.first)
            try subject.expect(after != before, "the generation changes with the ruleset")
            try subject.expect(try kernel.firewallGeneration(in: subject.first) == after, "reading does not change it")
            try subject.expect(try kernel.firewallTables(in: subject.second).isEmpty, "the other namespace has no tables")
            try kernel.perform(.applyFirewall(script: "delete table inet neutrino_a\n", subject.first))
            try subject.expect(try kernel.firewallTables(in: subject.first) == ["bridge neutrino_b"], "a deleted table is gone")
        },
        Case(description: "What tables hold is listed by name, can be emptied and filled again, and is not declared otherwise") { subject in
            let kernel = subject.kernel
            let table = """
                table inet neutrino_a {
                  counter seen {
                  }
                  ct helper ftp {
                    type "ftp" protocol tcp
                  }
                  map senders {
                    type ipv4_addr : verdict
                    flags interval
                    elements = {
                      192.0.2.0/25 : goto two, 192.0.2.128/25 : drop
                    }
                  }
                  set ports {
                    type inet_service
                    elements = {
                      80, 443
                    }
                  }
                  chain one {
                    type filter hook forward priority filter; policy accept;
                    tcp dport { 22, 25 } accept
                    ip saddr vmap @senders
                  }
                  chain two {
                    counter name "seen" drop
                  }
                }

                """
            try kernel.perform(.applyFirewall(script: table, subject.first))
            var expected = FirewallContents()
            expected.chains = ["one": true, "two": false]
            expected.sets = ["senders": .map, "ports": .set]
            expected.objects = ["seen": "counter", "ftp": "ct helper"]
            let found = try kernel.firewallContents(in: subject.first)
            try subject.expect(found == ["inet neutrino_a": expected], "found \(found)")
            try subject.expect(try kernel.firewallContents(in: subject.second).isEmpty, "the other namespace has no tables")
            let emptying = """
                flush table inet neutrino_a
                flush map inet neutrino_a senders
                flush set inet neutrino_a ports

                """
            let removal = """
                delete chain inet neutrino_a two
                delete map inet neutrino_a senders
                delete ct helper inet neutrino_a ftp
                delete counter inet neutrino_a seen

                """
            try kernel.perform(.applyFirewall(script: emptying + table, subject.first))
            try subject.expect(try kernel.firewallContents(in: subject.first) == found, "what is filled again holds what it held")
            for (old, new) in [("type inet_service", "type ipv4_addr"), ("hook forward", "hook input")] {
                try subject.expectRefusal(
                    .applyFirewall(script: emptying + table.replacing(old, with: new), subject.first))
            }
            let rest = "table inet neutrino_a {\n  set ports {\n    type inet_service\n  }\n}\n"
            try kernel.perform(.applyFirewall(script: emptying + removal + rest, subject.first))
            expected.chains = ["one": true]
            expected.sets = ["ports": .set]
            expected.objects = [:]
            let left = try kernel.firewallContents(in: subject.first)
            try subject.expect(left == ["inet neutrino_a": expected], "left is \(left)")
        },
        Case(description: "A firewall script with a fault in its second line leaves nothing") { subject in
            let kernel = subject.kernel
            let before = try kernel.firewallGeneration(in: subject.first)
            try subject.expectRefusal(
                .applyFirewall(script: "add table inet neutrino_a\ndelete table inet neutrino_none\n", subject.first))
            try subject.expect(try kernel.firewallTables(in: subject.first).isEmpty, "nothing of the script is left")
            try subject.expect(try kernel.firewallGeneration(in: subject.first) == before, "the generation stays")
        },
        Case(description: "An address of a link that is up is announced") { subject in
            let kernel = subject.kernel
            let veth = Link(name: "tap-one", kind: .veth(peer: "qr-one", peerNamespace: subject.second))
            try kernel.perform(.addLink(veth, subject.first))
            for text in ["192.0.2.1/24", "2001:db8::1/64"] {
                let address = LinkAddress(link: "tap-one", address: try subject.interfaceAddress(text))
                try kernel.perform(.addAddress(address, subject.first))
                try kernel.perform(.announce(address, subject.first))
            }
        },
    ]
}
