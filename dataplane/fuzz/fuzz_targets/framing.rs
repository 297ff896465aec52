#![no_main]

dnsplane_fuzz::target!(dnsplane_fuzz::hostile::streams::check);
