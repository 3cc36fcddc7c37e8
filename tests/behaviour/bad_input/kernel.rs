//! What only the kernel can refuse: values out of its range, features that it does not have.

use std::time::Duration;

use bridgework::plan::{BridgeOptions, Switch};
use bridgework::{EndpointConfig, Errno, Fault, FaultInjector, HostConfig};

use super::{host_with, net, refused_connect, refused_network};
use crate::lab;

#[test]
fn bridge_options_out_of_the_kernels_range_are_told_with_errno_and_step() {
    let host = lab::host();
    let delay = Duration::from_secs(3600);
    let options = BridgeOptions::new().stp(Switch::On).forward_delay(delay);
    let error = refused_network(&host, &net().bridge_name("br-slow").bridge_options(options));
    let [Fault::Kernel { doing, errno, .. }] = error.faults() else {
        panic!("{error}");
    };
    assert_eq!(*errno, Errno::from_raw(nix::libc::ERANGE));
    assert_eq!(error.errno(), Some(*errno));
    assert!(doing.starts_with("ip link add name br-slow "), "{doing}");
    assert!(error.to_string().contains("forward_delay 360000"), "{error}");
}

#[test]
fn a_feature_that_the_kernel_does_not_have_is_told_by_name() {
    let injector = FaultInjector::new();
    let host = host_with(HostConfig::new().fault_injector(injector.clone()));
    let before = host.snapshot().unwrap();
    injector.fail_nth(2, Errno::EOPNOTSUPP); // after the reading of what is there
    let error = host.create_network(net()).unwrap_err();
    assert!(error.is_unsupported());
    assert_eq!(
        error.to_string(),
        "create network net: bridge is not in this kernel: build it in, or load its module"
    );
    assert_eq!(host.snapshot().unwrap(), before);

    let net = host.create_network(net()).unwrap();
    injector.fail_nth(3, Errno::EOPNOTSUPP); // two readings of `refused_connect` come first
    let web = lab::container("web");
    let error = refused_connect(&host, &net, &web, EndpointConfig::new());
    assert!(error.is_unsupported());
    assert_eq!(
        error.to_string(),
        "connect web to net: veth is not in this kernel: build it in, or load its module"
    );
}
