#![no_main]

dnsplane_fuzz::target!(dnsplane_fuzz::hostile::views::check);
