/*!50003 create */ table /* x */ if not exists s.t (id int primary key, v varchar(20) character set latin1 default ';') -- end
; use y; rename table a to b, c.d to e.f; # tail