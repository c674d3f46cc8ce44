-- Cells, the slots they own, and the epoch of the whole: every change raises it by one.
create table map (
    one    boolean primary key default true check (one),
    epoch  bigint not null
);
insert into map (epoch) values (0);

create table cells (
    cell_id        integer primary key,
    relay_address  text   not null,
    http_address   text   not null,
    socket_url     text   not null,
    process_epoch  bigint not null
);

-- A slot without a row has no owner yet.
create table slots (
    slot     integer primary key check (slot between 0 and 65535),
    cell_id  integer not null references cells (cell_id)
);
