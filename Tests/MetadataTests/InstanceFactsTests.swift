import APISchema
import HostModel
import Metadata
import Testing

/// What whoever plugs an instance in says of it.
@Suite struct InstanceFactsTests {
    private let facts = InstanceFacts(
        hostname: "vm1", publicKeys: ["anna": "ssh-ed25519 AAAA anna@desk"], userData: "IyEvYmluL3No", meta: ["role": "web"],
        vendorData: #"{"a":1}"#)

    @Test("Facts written into a binding profile are read back, whatever else is in it")
    func roundTrip() {
        #expect(InstanceFacts(profile: facts.profile.text) == facts)
        #expect(InstanceFacts(profile: JSONValue.object(["pci_slot": "0000:03:10.1", InstanceFacts.profileKey: facts.json]).text) == facts)
        #expect(InstanceFacts(profile: InstanceFacts().profile.text) == InstanceFacts())
    }

    @Test("A profile without facts has none, nor has one that is too long; members of other types are left out")
    func strangers() {
        #expect(InstanceFacts(profile: "{}") == nil)
        #expect(InstanceFacts(profile: #"{"neutrino:instance": 7}"#) == nil)
        #expect(InstanceFacts(profile: #"{"trusted": "neutrino:instance"}"#) == nil)
        let whole = InstanceFacts(userData: String(repeating: "A", count: (InstanceFacts.maximumUserDataBytes + 2) / 3 * 4))
        #expect(InstanceFacts(profile: whole.profile.text) == whole, "as much user data as there may be")
        let long = InstanceFacts(userData: String(repeating: "A", count: InstanceFacts.maximumProfileBytes))
        #expect(InstanceFacts(profile: long.profile.text) == nil)
        let strange = #"{"neutrino:instance": {"hostname": 7, "public_keys": {"a": "k", "b": 1}, "meta": [], "vendor_data": "x"}}"#
        #expect(InstanceFacts(profile: strange) == InstanceFacts(publicKeys: ["a": "k"]))
    }
}
